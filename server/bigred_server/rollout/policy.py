"""The policy of a rollout: every deadline has a name here, and the pool its rules."""

import math
from dataclasses import dataclass
from enum import StrEnum


class OnDrainDeadline(StrEnum):
    """What to do with requests that are still in flight when the drain deadline is over."""

    GO_ON = "go_on"
    CUT = "cut"
    ABORT = "abort"


@dataclass(frozen=True)
class Policy:
    """How an app is rolled. All times are in seconds."""

    min_healthy: int
    batch: int = 1
    drain_first_s: float = 0.0
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
    tries: int = 2


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
