"""Buttons in: levels from the hardware, events from the levels."""
