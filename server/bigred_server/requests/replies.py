"""The replies to a box, and the one sentence that each refusal has."""

from bigred_broker.messages import Answer, BoxEvent, Reply
from bigred_server.model.arming import LIFE_S, Arming
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release
from bigred_server.requests.gates import GateRefusal

_MAX_REASON = 500


def refused(
    event: BoxEvent, no: GateRefusal, app: str | None = None, deployment: str | None = None
) -> Reply:
    """Say no, and why."""
    return Reply(
        id=event.id,
        answer=Answer.REFUSED,
        app=app,
        deployment=deployment,
        code=no.code,
        reason=no.reason[:_MAX_REASON],
    )


def armed(event: BoxEvent, arming: Arming, release: Release, nodes: int) -> Reply:
    """Say what the next press would do."""
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
    """Say that a deployment has begun."""
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
    """Say that a running deployment was given a command, or that it has it already."""
    return Reply(
        id=event.id,
        answer=Answer.ACCEPTED,
        app=running.app,
        deployment=running.id,
        command=command,
    )
