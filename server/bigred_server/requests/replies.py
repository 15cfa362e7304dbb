"""The replies to a box."""

from bigred_broker.messages import Answer, BoxEvent, Reply
from bigred_server.model.arming import LIFE_S, Arming
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release
from bigred_server.requests.gates import GateRefusal

_MAX_REASON = 500


def refused(
    event: BoxEvent, refusal: GateRefusal, app: str | None = None, deployment: str | None = None
) -> Reply:
    """Return the reply to an event that is refused."""
    return Reply(
        id=event.id,
        answer=Answer.REFUSED,
        app=app,
        deployment=deployment,
        code=refusal.code,
        reason=refusal.reason[:_MAX_REASON],
    )


def armed(event: BoxEvent, arming: Arming, release: Release, nodes: int) -> Reply:
    """Return the reply that announces what the next press would deploy."""
    return Reply(
        id=event.id,
        answer=Answer.ARMED,
        app=arming.app,
        release=release.note(),
        nodes=nodes,
        arming=arming.id,
        expires_in_s=LIFE_S,
    )


def fired(
    event: BoxEvent, record: DeploymentRecord, release: Release, nodes: int, countdown_s: float
) -> Reply:
    """Return the reply that a deployment has begun."""
    return Reply(
        id=event.id,
        answer=Answer.ACCEPTED,
        app=record.app,
        release=release.note(),
        nodes=nodes,
        deployment=record.id,
        countdown_s=countdown_s,
    )


def command_accepted(event: BoxEvent, running: DeploymentRecord, command: Command | None) -> Reply:
    """Return the reply that a running deployment has a command, whether new or given before."""
    return Reply(
        id=event.id,
        answer=Answer.ACCEPTED,
        app=running.app,
        deployment=running.id,
        command=command,
    )
