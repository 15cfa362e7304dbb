"""Decides what a rollout does next, from plain values. Pure."""
