"""A decision: what is due."""

from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.hook import Hook
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core.action import Action


@dataclass(frozen=True)
class Call:
    """A hook that is due; ON_FAILURE receives the `outcome` to come and its `reason`."""

    hook: Hook
    outcome: Phase | None = None
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What is due: the phase to be in, the reason for a change of phase, the actions, and a hook.

    `nodes`, `skipped` and `set_aside` are None if they do not change. `finding`: what people should
    know although the phase stays. `held_for` goes with HOLDING; `tolerates`: the verdict that a
    person accepted by continuing.
    """

    phase: Phase
    actions: tuple[Action, ...] = ()
    reason: str = ""
    blames_build: bool = False
    nodes: tuple[str, ...] | None = None
    skipped: tuple[str, ...] | None = None
    set_aside: tuple[str, ...] | None = None
    hook: Call | None = None
    finding: str = ""
    held_for: HeldFor | None = None
    tolerates: Verdict | None = None
