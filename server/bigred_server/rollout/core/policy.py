"""The policy of a rollout: all its named deadlines, and the limits that the pool must keep."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.hook import Hook


class Sessions(StrEnum):
    """What becomes of the sessions on a node before it is touched.

    MOVE: their users go to other nodes at once. WAIT: the update waits for them to end, up to a
    deadline. PARALLEL: they stay on the old version.
    """

    MOVE = "move"
    WAIT = "wait"
    PARALLEL = "parallel"


class OnDrainDeadline(StrEnum):
    """What to do about requests still in flight when the drain deadline passes."""

    GO_ON = "go_on"
    CUT = "cut"
    ABORT = "abort"


class OnDeadline(StrEnum):
    """What becomes of a deployment on hold if nobody decides in time."""

    ROLLBACK = "rollback"
    CONTINUE = "continue"


@dataclass(frozen=True)
class Policy:
    """How an app is rolled out. All times are in seconds.

    `headroom`: the share of their capacity that the other nodes may use while one is being updated.
    `sessions_shared`: the nodes share their sessions, so none is lost when a node stops.
    """

    min_healthy: int
    batch: int = 1
    canary: int = 1
    headroom: float = 0.8
    sessions: Sessions = Sessions.MOVE
    sessions_shared: bool = False
    sessions_s: float = 1800.0
    drain_s: float = 30.0
    on_drain_deadline: OnDrainDeadline = OnDrainDeadline.GO_ON
    stop_s: float = 60.0
    swap_s: float = 120.0
    start_s: float = 300.0
    start_again_s: float = 5.0
    wrong_answer_s: float = 15.0
    admit_s: float = 120.0
    check_s: float = 60.0
    blind_check_s: float = 5.0
    progress_s: float = 600.0
    hold_s: float = 3600.0
    on_hold_deadline: OnDeadline = OnDeadline.ROLLBACK
    canary_bake_s: float = 0.0
    batch_bake_s: float = 0.0
    last_bake_s: float = 0.0
    old_versions_s: float = 7200.0
    mend_again_s: float = 600.0
    tries: int = 2
    hooks: frozenset[Hook] = frozenset()
    judge: JudgePolicy = field(default_factory=JudgePolicy)


def share(text: int | str | None, nodes: int) -> int:
    """Convert `min_healthy` (a number, a percentage, or None for the default) to a number of nodes.

    The default is all nodes but one for up to four nodes, and else three quarters. Percentages are
    rounded up. Raise ValueError for anything else, and if the number leaves no node to update.
    """
    if text is None:
        return nodes - 1 if nodes <= 4 else math.ceil(nodes * 0.75)
    if isinstance(text, str):
        if not text.endswith("%") or not text[:-1].isdigit():
            raise ValueError(f"{text!r} is neither a number of nodes nor a percentage like '75%'")
        count = math.ceil(nodes * int(text[:-1]) / 100)
    else:
        count = text
    if not 0 <= count < nodes:
        raise ValueError(f"{text!r} of {nodes} nodes leaves none that may be updated")
    return count
