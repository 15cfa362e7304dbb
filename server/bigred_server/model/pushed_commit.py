"""A commit that was pushed to a repository."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushedCommit:
    """The new head commit of a branch, and who pushed it."""

    branch: str
    commit: str
    who: str
