"""`[apps.NAME.deadlines]` and `[apps.NAME.bake]`: the times of a rollout's policy."""

from typing import Annotated

from pydantic import Field

from bigred_broker.settings import Section
from bigred_server.rollout.core.policy import OnDeadline, OnDrainDeadline, Policy

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class DeadlineSettings(Section):
    """`[apps.NAME.deadlines]`: the policy's times in seconds; the policy has the defaults."""

    drain_s: Seconds = Policy.drain_s
    on_drain_deadline: OnDrainDeadline = Policy.on_drain_deadline
    sessions_s: Seconds = Policy.sessions_s
    stop_s: Seconds = Policy.stop_s
    swap_s: Seconds = Policy.swap_s
    start_s: Seconds = Policy.start_s
    start_again_s: Seconds = Policy.start_again_s
    wrong_answer_s: Seconds = Policy.wrong_answer_s
    admit_s: Seconds = Policy.admit_s
    check_s: Seconds = Policy.check_s
    blind_check_s: Seconds = Policy.blind_check_s
    progress_s: Seconds = Policy.progress_s
    hold_s: Seconds = Policy.hold_s
    on_hold_deadline: OnDeadline = Policy.on_hold_deadline
    old_versions_s: Seconds = Policy.old_versions_s
    mend_again_s: Seconds = Policy.mend_again_s
    tries: Annotated[int, Field(ge=1, le=100)] = Policy.tries


class BakeSettings(Section):
    """`[apps.NAME.bake]`: how long nodes are watched before the rollout continues."""

    canary_s: Seconds = Policy.canary_bake_s
    batch_s: Seconds = Policy.batch_bake_s
    last_s: Seconds = Policy.last_bake_s
