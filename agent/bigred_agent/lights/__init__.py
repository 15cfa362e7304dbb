"""Lights out: patterns as plain values, one player, and the pins."""
