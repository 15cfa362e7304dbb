"""The HAProxy adapter: it routes users to the nodes and reports the state of each node."""
