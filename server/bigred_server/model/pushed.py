"""A commit that was pushed to a repository."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pushed:
    """A commit that is the newest of a branch now, and who pushed it."""

    branch: str
    commit: str
    who: str
