"""A command to a running deployment: refused with the reason, or written down for the rollout.

All in the caller's transaction: what is judged is what the command is given to.
"""

import time

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import AppEventType
from bigred_server.errors import DeploymentError
from bigred_server.journal import deployments, events
from bigred_server.model.command import Command, refusal, refusal_elsewhere
from bigred_server.model.deployment import DeploymentRecord

_DONE_TO_IT = {
    Command.HOLD: "held",
    Command.CONTINUE: "continued",
    Command.ROLLBACK: "rolled back",
    Command.ABORT: "aborted",
}
_ASKED_FOR = {
    Command.HOLD: "to hold it: the nodes in hand are made whole, no other is taken",
    Command.CONTINUE: "to continue",
    Command.ROLLBACK: "to roll it back",
    Command.ABORT: "to abort it",
}


def hindrance(record: DeploymentRecord, command: Command) -> str:
    """Say why a deployment can't be given a command, or "" when it can."""
    if record.mends is not None:
        return repair_text(record)
    if record.trail is not None:
        return refusal_elsewhere(record.phase, record.command, command)
    return refusal(record.phase, record.command, command)


def repair_text(record: DeploymentRecord) -> str:
    """Say what a deployment is that only mends a node."""
    return f"it only brings {record.mends} back to the live release, and ends by itself"


async def give(
    db: AsyncConnection, record: DeploymentRecord, command: Command, who: str, why: str = ""
) -> None:
    """Give a running deployment a command; the journal tells who did, and `why`.

    Raises DeploymentError, and changes nothing, when it can't be followed.
    """
    if no := hindrance(record, command):
        raise DeploymentError(
            f"deployment {record.id} of {record.app} can't be {_DONE_TO_IT[command]}: {no}"
        )
    await deployments.change(db, record.id, command=command, commanded_by=who)
    text = f"{who} asked {_ASKED_FOR[command]}" + (f" ({why})" if why else "")
    await events.add(db, record.id, time.time(), AppEventType.FINDING, text)
