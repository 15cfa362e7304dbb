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

    `takes_back` is the release that becomes bad when this one is live: set for a rollback. `mends`:
    the one node that is brought to the live release, None for a deployment of the whole app.
    `judgement`: what the judge said last, `evidence`: all that it has seen. `trail`: where Jenkins
    has it, None where Bigred deploys it itself.
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
