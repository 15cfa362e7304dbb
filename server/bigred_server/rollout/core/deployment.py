"""A deployment as the decision sees it: what is wanted, where it stands, whom it touches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Verdict
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.target import Target


@dataclass(frozen=True)
class Deployment:
    """One attempt to make one release live on all nodes of its app.

    `previous` is what a rollback goes back to, None for an app's very first release. `nodes` are
    those in scope, in order, fixed when the deployment left `preparing`; `skipped` were down.
    `set_aside`: those in scope that failed by themselves and stay out of the pool. `mends`: the
    one node that this deployment is about, None for one of the whole app. `command`: what a person
    asked for, until it is taken up, and `commanded_by` who. `release`: the version as people say
    it. `held_for`: why it is held. `tolerates`: the worst verdict that a person has let go on.
    """

    id: str
    app: str
    phase: Phase
    target: Target
    previous: Target | None
    nodes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    mends: str | None = None
    command: Command | None = None
    commanded_by: str = ""
    release: str = ""
    held_for: HeldFor | None = None
    tolerates: Verdict | None = None
    hooks: Mapping[Hook, HookState] = field(default_factory=dict)
