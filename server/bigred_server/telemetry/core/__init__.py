"""Turns log lines, counters and looks at the fleet into looks of the judge. Pure."""
