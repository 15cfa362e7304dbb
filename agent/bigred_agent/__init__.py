"""The box: buttons in, lights and voice out. It imports the broker package, never the server's."""
