"""A deployment as the decision sees it: what is wanted, where it stands, whom it touches."""

from dataclasses import dataclass

from bigred_broker.messages import Phase


@dataclass(frozen=True)
class Goal:
    """What a node is to run: the WAR's digest, and what the app then answers as its release."""

    digest: str
    marker: str


@dataclass(frozen=True)
class Deployment:
    """One attempt to make one release live on all nodes of its app.

    `previous` is what a rollback goes back to, None for an app's very first release. `nodes` are
    those in scope, in order, fixed when the deployment left `preparing`; `skipped` were down.
    """

    id: str
    app: str
    phase: Phase
    goal: Goal
    previous: Goal | None
    nodes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    rollback_asked: bool = False
