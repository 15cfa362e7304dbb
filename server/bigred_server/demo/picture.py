"""What the live screen shows, as plain values."""

from dataclasses import dataclass

from bigred_broker.messages import AppState, BoxState
from bigred_server.demo.request_log import Counts


@dataclass(frozen=True)
class StartStep:
    """A step of the demo's start, and how many seconds it took so far."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Picture:
    """Everything the screen needs to know at one moment.

    `starting`: the steps of the start so far, the last one running; empty once the demo runs.
    `steps`: how many there will be. `running_s`: for how many seconds the deployment runs.
    `spoken`, `log`: what the box said, and what the server reported, the newest last. `receipt`:
    the lines of the last deployment's receipt.
    """

    starting: tuple[StartStep, ...] = ()
    steps: int = 0
    url: str = ""
    box: BoxState | None = None
    app: AppState | None = None
    counts: Counts | None = None
    pressed: bool = False
    running_s: float | None = None
    spoken: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    receipt: tuple[str, ...] = ()
