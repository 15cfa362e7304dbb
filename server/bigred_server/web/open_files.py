"""How many files the server may open, and how many of them are left for the HTTP API."""

import resource

# paho waits for its connection with select(), which knows no file beyond number 1023.
_USEFUL = 1024
# For everything else: the journal, HAProxy's sockets, nodes, SSH, Jenkins, builds and their pipes.
_OTHERS = 200
_LEAST = 10


def raise_limit() -> int:
    """Raise the limit on open files as far as it is useful and allowed; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = max(soft, attainable())
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return raised


def attainable() -> int:
    """Return the limit on open files that a process of this user can give itself."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _USEFUL)


def room(limit: int) -> int:
    """Return how many connections fit in a limit on open files."""
    return max(_LEAST, limit - _OTHERS)


def needed(connections: int) -> int:
    """Return the limit on open files in which that many connections fit."""
    return connections + _OTHERS
