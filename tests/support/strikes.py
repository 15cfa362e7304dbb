"""Strikes: a signal to one process of a site at a moment of a deployment, drawn by a seed. Pure."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.demo.sample import BuildKind

_BAD = (BuildKind.DOES_NOT_START, BuildKind.ANSWERS_500, BuildKind.WRONG_RELEASE)
_BAD_SHARE = 0.2
_STOP_SHARE = 0.25
_DOWN_S = (0.1, 3.0)


class Target(StrEnum):
    """The process that is struck; of HAProxy, the worker; of the Tomcats, one."""

    SERVER = "server"
    BROKER = "broker"
    BOX = "box"
    HAPROXY = "haproxy"
    TOMCAT = "tomcat"


class Blow(StrEnum):
    """What is done to it: killed, and started again as an init would; or stopped for a time."""

    KILL = "SIGKILL"
    FREEZE = "SIGSTOP"


@dataclass(frozen=True)
class Strike:
    """One strike.

    `at`: when, as a share of the time from the lid to an undisturbed end. `length_s`: how long the
    process is stopped, or away before it is started again. `stops`: whether a person pushes again
    in mid-deployment, which is the emergency stop.
    """

    seed: int
    target: Target
    blow: Blow
    at: float
    length_s: float
    node: str
    build: BuildKind
    stops: bool

    def __str__(self) -> str:
        who = self.node if self.target is Target.TOMCAT else self.target
        return f"{who} {self.blow} at {self.at:.0%} for {self.length_s:.1f} s"


def draw(
    seed: int, target: Target, blow: Blow, nodes: Sequence[str], longest_s: float = 60.0
) -> Strike:
    """Draw a strike; the same arguments always give the same one.

    Short stops are as frequent as long ones: a second matters to a press, a minute to a lease.
    """
    chance = random.Random(f"{seed} {target} {blow}")
    if blow is Blow.KILL:
        length_s = chance.uniform(*_DOWN_S)
    else:
        length_s = math.exp(chance.uniform(0.0, math.log(longest_s)))
    return Strike(
        seed=seed,
        target=target,
        blow=blow,
        at=chance.uniform(0.0, 1.0),
        length_s=length_s,
        node=chance.choice(list(nodes)),
        build=chance.choice(_BAD) if chance.random() < _BAD_SHARE else BuildKind.GOOD,
        stops=chance.random() < _STOP_SHARE,
    )
