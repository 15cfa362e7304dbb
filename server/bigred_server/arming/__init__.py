"""Who may fire what, now: armings, gates and presses."""
