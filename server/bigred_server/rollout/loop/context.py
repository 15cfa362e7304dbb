"""The context of a rollout: what all deployments of one app share."""

from collections.abc import Callable
from dataclasses import dataclass

from bigred_server.clock import Clock
from bigred_server.journal.database import Database
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.ports import Telemetry
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.rollout.loop.hook_runner import HookRunner


@dataclass(frozen=True)
class RunContext:
    """What a deployment run works with; the same for all deployments of an app.

    `wake` makes the reconciler look again at once.
    """

    db: Database
    policy: Policy
    strategy: Strategy
    adoption: Adoption
    events: EventLog
    hooks: HookRunner
    telemetry: Telemetry
    clock: Clock
    wake: Callable[[], None]
