"""The HTTP API: the terminal's queries and commands for programs, protected by tokens."""
