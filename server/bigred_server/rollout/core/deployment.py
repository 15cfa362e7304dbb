"""A deployment as a decision sees it: its record, and the targets of its nodes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bigred_broker.messages import Phase
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.target import Target


@dataclass(frozen=True)
class Deployment:
    """A record with its digests resolved.

    `target`: the new release. `previous`: the release that a rollback restores, None for an app's
    very first release. `release`: the version people know it by. `hooks`: the hooks called so far.
    """

    record: DeploymentRecord
    target: Target
    previous: Target | None
    release: str = ""
    hooks: Mapping[Hook, HookState] = field(default_factory=dict)


def entered(record: DeploymentRecord, decision: Decision, now: float) -> DeploymentRecord:
    """Return the record with a decision applied and its command cleared; `now` is Unix time."""
    # Whoever asked for an abort may have given a reason.
    given = record.reason if decision.phase is Phase.ABORTED else ""
    return replace(
        record,
        phase=decision.phase,
        reason=given or decision.reason or _lasting_reason(record, decision.phase),
        blames_build=record.blames_build or decision.blames_build,
        nodes=record.nodes if decision.nodes is None else decision.nodes,
        skipped=record.skipped if decision.skipped is None else decision.skipped,
        set_aside=record.set_aside if decision.set_aside is None else decision.set_aside,
        command=None,
        held_for=decision.held_for if decision.phase is not record.phase else record.held_for,
        tolerates=decision.tolerates or record.tolerates,
        ended_at=now if decision.phase.is_outcome else None,
    )


def _lasting_reason(record: DeploymentRecord, phase: Phase) -> str:
    """Return the reason that still applies: the reason for a hold ends with the hold."""
    continues = record.phase is Phase.HOLDING and phase is not Phase.HOLDING
    return "" if continues and not phase.is_outcome else record.reason
