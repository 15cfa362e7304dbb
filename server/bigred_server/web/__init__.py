"""The HTTP API: what the terminal shows and asks for, to programs, and only with a token."""
