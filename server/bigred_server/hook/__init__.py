"""The repository hook: it submits every push to the server and never blocks one."""
