"""The neighbour HAProxy: sends the users to the nodes, and tells how the nodes are."""
