"""A deployment, as it is stored and passed on."""

import secrets
from dataclasses import dataclass, field

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.json_object import Json
from bigred_server.model.verdict import Verdict


@dataclass(frozen=True)
class DeploymentRecord:
    """One attempt to make one release live on all nodes of its app; times are seconds of Unix time.

    `takes_back`: the release that becomes bad when this one is live; only set for a rollback.
    `mends`: the one node to be repaired, None for a deployment of the whole app. `judgement`: the
    latest judgement; `evidence`: all that it is based on. `trail`: the state of the Jenkins run,
    None if Bigred deploys the app itself.
    """

    id: str
    app: str
    digest: str
    previous: str | None
    who: str
    started_at: float
    not_before: float = 0.0
    phase: Phase = Phase.PREPARING
    reason: str = ""
    nodes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    mends: str | None = None
    command: Command | None = None
    commanded_by: str = ""
    blames_build: bool = False
    takes_back: str | None = None
    ended_at: float | None = None
    held_for: HeldFor | None = None
    tolerates: Verdict | None = None
    counters: Json | None = field(default=None, compare=False)
    evidence: Json | None = field(default=None, compare=False)
    judgement: Json | None = field(default=None, compare=False)
    receipt: Json | None = field(default=None, compare=False)
    trail: Json | None = None


def new_deployment_id() -> str:
    """Return a new deployment id, short enough to be typed."""
    return f"d-{secrets.token_hex(5)}"
