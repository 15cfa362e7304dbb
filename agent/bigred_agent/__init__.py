"""The box: buttons in, lights and voice out. Knows the broker's room, never the server's."""
