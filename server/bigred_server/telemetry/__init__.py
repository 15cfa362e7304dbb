"""Telemetry: observes what users get from an app, and makes the looks that the judge reads."""
