"""The box's state machine. Pure: it takes (state, event, now) and returns (state, effects)."""
