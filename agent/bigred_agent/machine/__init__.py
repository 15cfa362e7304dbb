"""The box's own state machine: pure. (state, what happened, now) gives (state, what to do)."""
