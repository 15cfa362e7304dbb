"""The policy of a rollout: every deadline has a name here, and the pool its rules."""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.hook import Hook


class Sessions(StrEnum):
    """What becomes of the sessions on a node before it is touched.

    MOVE: their users go to other nodes at once. WAIT: they end first, up to a deadline. PARALLEL:
    they stay, on the old version.
    """

    MOVE = "move"
    WAIT = "wait"
    PARALLEL = "parallel"


class OnDrainDeadline(StrEnum):
    """What to do with requests that are still in flight when the drain deadline is over."""

    GO_ON = "go_on"
    CUT = "cut"
    ABORT = "abort"


class OnDeadline(StrEnum):
    """What becomes of a deployment that is held when nobody decides in time."""

    ROLLBACK = "rollback"
    CONTINUE = "continue"


@dataclass(frozen=True)
class Policy:
    """How an app is rolled. All times are in seconds.

    `headroom`: the share of their capacity that the other nodes may be filled to when one is taken.
    `sessions_shared`: the nodes have them in common, so that none is lost with a node.
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
    """Turn `min_healthy` into a number of nodes: a number, a percentage, or None for the default.

    The default keeps all but one of up to four nodes, else three quarters. A percentage is rounded
    up. Raises ValueError for anything else, and for a number that leaves no node to take.
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
        raise ValueError(f"{text!r} of {nodes} nodes leaves none that may be taken")
    return count
