"""The button as the emergency stop: presses during a deployment, and a button held down.

A press puts the deployment on hold. During a hold, another press continues it, and a button held
down for three seconds rolls it back. A Jenkins run can't be held: a press aborts it. All of this
happens in the caller's transaction.
"""

import time

from bigred_broker.messages import Answer, BoxEvent, Phase, Refusal, Reply
from bigred_server.journal import armings, deployments
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import commands, replies, sentences
from bigred_server.requests.gates import GateRefusal

# A button bounces, and so do people: a second press within this time counts as the first.
QUIET_S = 5.0

RecentReplies = list[tuple[str, Reply]]


async def stop(db: AsyncConnection, box: str, event: BoxEvent, running: DeploymentRecord) -> Reply:
    """Answer a press without an arming while a deployment of the box's app is running."""
    is_held = not commands.hindrance(running, Command.CONTINUE)
    command = Command.CONTINUE if is_held else _stopping(running)
    why = commands.hindrance(running, command)
    if not why and (last := _last_accepted(await _recent_replies(db, running, QUIET_S), box)):
        if is_held:
            return replies.command_accepted(event, running, None)
        why = sentences.JUST_CONTINUED if last.command else sentences.JUST_FIRED
    if why:
        refusal = GateRefusal(Refusal.RUNNING, sentences.not_stopped(running.app, why))
        return replies.refused(event, refusal, running.app, running.id)
    await commands.give(db, running, command, box)
    return replies.command_accepted(event, running, command)


async def held_down(
    db: AsyncConnection, box: str, event: BoxEvent, running: DeploymentRecord
) -> Reply | None:
    """Roll back a deployment that was on hold when the button went down; None if it was not.

    The same press was answered when it began, three seconds ago. If it continued the deployment,
    the rollback overrides that. If it put the deployment on hold, somebody may have pressed in a
    fright and held on: then nothing is rolled back.
    """
    # This event may have been delayed longer than its press.
    recent = await _recent_replies(db, running, QUIET_S + event.answer_within_ms / 1000)
    answered = next((reply for who, reply in recent if who == box), None)
    pressed = answered.command if answered else None
    was_held = not commands.hindrance(running, Command.CONTINUE) or pressed == Command.CONTINUE
    if not was_held or pressed == Command.HOLD or commands.hindrance(running, Command.ROLLBACK):
        return None
    await commands.give(db, running, Command.ROLLBACK, box, sentences.HELD_DOWN)
    return replies.command_accepted(event, running, Command.ROLLBACK)


async def cancel(db: AsyncConnection, box: str, running: DeploymentRecord) -> bool:
    """Abort a deployment in its countdown if the box that fired it closes its lid.

    Return whether it was aborted.
    """
    in_countdown = running.phase is Phase.PREPARING and running.not_before > time.time()
    if running.who != box or not in_countdown or commands.hindrance(running, Command.ABORT):
        return False
    # The rollout's loop ends it like any other deployment: with an event and a receipt.
    await commands.give(db, running, Command.ABORT, box, sentences.CANCELLED)
    await deployments.change(db, running.id, reason=sentences.CANCELLED)
    return True


def _stopping(running: DeploymentRecord) -> Command:
    """Return the command of an emergency stop: a run of Jenkins can't be held."""
    return Command.HOLD if running.trail is None else Command.ABORT


def _last_accepted(recent: RecentReplies, box: str) -> Reply | None:
    """Find the recent press that makes another one count as a bounce.

    Any box's command does: two people in a fright both mean the stop. The press that fired does
    only for the same box: somebody elsewhere who stops it at once means it.
    """
    for who, reply in recent:
        fired = reply.release is not None and who == box
        if reply.answer is Answer.ACCEPTED and (fired or reply.command):
            return reply
    return None


async def _recent_replies(
    db: AsyncConnection, running: DeploymentRecord, within_s: float
) -> RecentReplies:
    """List the latest replies to presses about this deployment, with their boxes, newest first."""
    now = time.time()
    found = []
    for box, at, text in await armings.replies_since(db, now - within_s):
        reply = Reply.model_validate_json(text)
        # If the clock was set back, replies from its future must not suppress the stop.
        if at <= now and reply.deployment == running.id:
            found.append((box, reply))
    return found
