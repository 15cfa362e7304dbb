"""Lights: patterns as plain values, a player, and the pins."""
