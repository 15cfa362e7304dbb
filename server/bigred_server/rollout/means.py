"""The means of a rollout: what the deployments of one app are carried out with."""

from collections.abc import Callable
from dataclasses import dataclass

from bigred_server.journal.database import Database
from bigred_server.rollout.adoption import Adoption
from bigred_server.rollout.goal import Strategy
from bigred_server.rollout.hooks import Hooks
from bigred_server.rollout.jury import Witness
from bigred_server.rollout.narrator import Narrator
from bigred_server.rollout.policy import Policy


@dataclass(frozen=True)
class Means:
    """What a course is carried out with; the same for all deployments of an app."""

    db: Database
    policy: Policy
    strategy: Strategy
    adoption: Adoption
    narrator: Narrator
    hooks: Hooks
    witness: Witness
    wake: Callable[[], None]
