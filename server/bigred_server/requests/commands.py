"""A command to a running deployment: refused with a reason, or stored for the rollout to follow.

All of it runs in the caller's transaction, so the deployment can't change in between.
"""

import time

from bigred_broker.messages import AppEventType
from bigred_server.errors import DeploymentError
from bigred_server.journal import deployments, events
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.command import Command, refusal, refusal_elsewhere
from bigred_server.model.deployment import DeploymentRecord

_PARTICIPLES = {
    Command.HOLD: "held",
    Command.CONTINUE: "continued",
    Command.ROLLBACK: "rolled back",
    Command.ABORT: "aborted",
}
_ASKED_FOR = {
    Command.HOLD: "to hold it: nodes being updated are finished; no new ones start",
    Command.CONTINUE: "to continue",
    Command.ROLLBACK: "to roll it back",
    Command.ABORT: "to abort it",
}


def hindrance(record: DeploymentRecord, command: Command) -> str:
    """Return why a deployment can't be given a command, or "" if it can."""
    if record.mends is not None:
        return repair_text(record)
    if record.trail is not None:
        return refusal_elsewhere(record.phase, record.command, command)
    return refusal(record.phase, record.command, command)


def repair_text(record: DeploymentRecord) -> str:
    """Describe a deployment that only repairs a node."""
    return f"it only brings {record.mends} back to the live release and ends by itself"


async def give(
    db: AsyncConnection, record: DeploymentRecord, command: Command, who: str, why: str = ""
) -> None:
    """Give a running deployment a command; the journal records who gave it, and `why`.

    Raise DeploymentError, and change nothing, if the command can't be followed.
    """
    if reason := hindrance(record, command):
        raise DeploymentError(
            f"deployment {record.id} of {record.app} can't be {_PARTICIPLES[command]}: {reason}"
        )
    await deployments.change(db, record.id, command=command, commanded_by=who)
    text = f"{who} asked {_ASKED_FOR[command]}" + (f" ({why})" if why else "")
    await events.add(db, record.id, time.time(), AppEventType.FINDING, text)
