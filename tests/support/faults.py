"""The faults of a campaign's run, drawn by its seed. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.demo.sample import BuildKind


class Fault(StrEnum):
    """A kind of fault in the middle of a deployment."""

    SERVER_KILLED = "server killed"
    SERVER_FROZEN = "server frozen"
    HAPROXY_RELOADED = "haproxy reloaded"
    HAPROXY_RESTARTED = "haproxy restarted"
    TOMCAT_KILLED = "tomcat killed"
    BROKER_RESTARTED = "broker restarted"
    STOP_FAILS = "stop fails once"
    START_FAILS = "start fails once"
    HELD = "held"
    ROLLED_BACK = "rollback asked"
    ABORTED = "abort asked"


# Once per run: two dead nodes at a time, or two contradictory commands, prove nothing.
_ONCE = frozenset({Fault.TOMCAT_KILLED, Fault.HELD, Fault.ROLLED_BACK, Fault.ABORTED})
_COMMANDS = frozenset({Fault.HELD, Fault.ROLLED_BACK, Fault.ABORTED})
_BAD = (BuildKind.DOES_NOT_START, BuildKind.ANSWERS_500, BuildKind.WRONG_RELEASE)
_BAD_SHARE = 0.2
_MOST = 3


@dataclass(frozen=True)
class Misfortune:
    """One fault of a run.

    `at`: when, as a share of an undisturbed deployment's time. `length_s`: how long something is
    frozen, held, or down before it is started again; None for a Tomcat that is not started again
    before the end. `then`: the command that ends a hold.
    """

    fault: Fault
    at: float
    node: str
    length_s: float | None
    then: str

    def __str__(self) -> str:
        lasts = "" if self.length_s is None else f" for {self.length_s:.1f} s"
        match self.fault:
            case Fault.TOMCAT_KILLED | Fault.STOP_FAILS | Fault.START_FAILS:
                return f"{self.fault} ({self.node}{lasts})"
            case Fault.HELD:
                return f"{self.fault}{lasts}, then {self.then}"
            case Fault.SERVER_KILLED | Fault.SERVER_FROZEN:
                return f"{self.fault}{lasts}"
            case _:
                return str(self.fault)


@dataclass(frozen=True)
class Run:
    """One run: the build that is deployed, and the faults in their order."""

    seed: int
    build: BuildKind
    misfortunes: tuple[Misfortune, ...]

    @property
    def asks_back(self) -> bool:
        """Return whether a person asks for a rollback in it."""
        return any(
            one.fault is Fault.ROLLED_BACK or (one.fault is Fault.HELD and one.then == "rollback")
            for one in self.misfortunes
        )


def draw(seed: int, nodes: Sequence[str], kinds: Sequence[Fault]) -> Run:
    """Draw the run of a seed; the same arguments always give the same run."""
    chance = random.Random(seed)
    build = chance.choice(_BAD) if chance.random() < _BAD_SHARE else BuildKind.GOOD
    drawn: list[Misfortune] = []
    for at in sorted(chance.uniform(0.0, 1.0) for _ in range(chance.randint(1, _MOST))):
        left = [one for one in kinds if not _is_used(one, drawn)]
        drawn.append(_misfortune(chance, chance.choice(left), at, nodes))
    return Run(seed, build, tuple(drawn))


def _is_used(fault: Fault, drawn: Sequence[Misfortune]) -> bool:
    used = {one.fault for one in drawn}
    return fault in _ONCE & used or (fault in _COMMANDS and bool(_COMMANDS & used))


def _misfortune(chance: random.Random, fault: Fault, at: float, nodes: Sequence[str]) -> Misfortune:
    longest_s = 6.0 if fault is Fault.SERVER_FROZEN else 3.0
    length_s: float | None = chance.uniform(0.1, longest_s)
    if fault is Fault.TOMCAT_KILLED and chance.random() < 0.3:
        length_s = None
    return Misfortune(
        fault,
        at,
        chance.choice(nodes),
        length_s,
        chance.choice(("continue", "rollback", "abort")),
    )
