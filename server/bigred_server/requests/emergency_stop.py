"""The button as the emergency stop: a press into a running deployment, and a button held down.

A press holds the deployment; while it is held a press continues it, and a button that is held down
for three seconds takes it back. What Jenkins does can't be held: a press aborts it. All in the
caller's transaction.
"""

import time

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Answer, BoxEvent, Phase, Refusal, Reply
from bigred_server.journal import armings, deployments
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import commands, replies, sentences
from bigred_server.requests.gates import GateRefusal

# A button bounces, and so do people: what they press again within this, they pressed already.
QUIET_S = 5.0

Given = list[tuple[str, Reply]]


async def stop(db: AsyncConnection, box: str, event: BoxEvent, running: DeploymentRecord) -> Reply:
    """Answer a press without an arming while a deployment of the box's app runs."""
    is_held = not commands.hindrance(running, Command.CONTINUE)
    command = Command.CONTINUE if is_held else _stopping(running)
    why = commands.hindrance(running, command)
    if not why and (last := _last_accepted(await _given(db, running, QUIET_S), box)):
        if is_held:
            return replies.command_accepted(event, running, None)
        why = sentences.JUST_CONTINUED if last.command else sentences.JUST_FIRED
    if why:
        no = GateRefusal(Refusal.RUNNING, sentences.not_stopped(running.app, why))
        return replies.refused(event, no, running.app, running.id)
    await commands.give(db, running, command, box)
    return replies.command_accepted(event, running, command)


async def held_down(
    db: AsyncConnection, box: str, event: BoxEvent, running: DeploymentRecord
) -> Reply | None:
    """Take a deployment back that was held when the button went down; None when it was not.

    The press that began it was answered three seconds ago. If it continued the deployment, the
    later word counts. If it stopped it, it was pressed in a fright, and a fright lasts: nothing is
    taken back by it.
    """
    # It may have been longer on its way than its press.
    lately = await _given(db, running, QUIET_S + event.age_ms / 1000)
    begun_by = next((reply for who, reply in lately if who == box), None)
    pressed = begun_by.command if begun_by else None
    was_held = not commands.hindrance(running, Command.CONTINUE) or pressed == Command.CONTINUE
    if not was_held or pressed == Command.HOLD or commands.hindrance(running, Command.ROLLBACK):
        return None
    await commands.give(db, running, Command.ROLLBACK, box, sentences.HELD_DOWN)
    return replies.command_accepted(event, running, Command.ROLLBACK)


async def cancel(db: AsyncConnection, box: str, running: DeploymentRecord) -> bool:
    """End a deployment in its countdown when the box that fired it closes its lid; say whether."""
    counts = running.phase is Phase.PREPARING and running.not_before > time.time()
    if running.who != box or not counts or commands.hindrance(running, Command.ABORT):
        return False
    # The rollout's loop ends it, as it ends everything: with an event and a receipt.
    await commands.give(db, running, Command.ABORT, box, sentences.CANCELLED)
    await deployments.change(db, running.id, reason=sentences.CANCELLED)
    return True


def _stopping(running: DeploymentRecord) -> Command:
    """Give what the emergency stop asks for: what runs elsewhere can't be held."""
    return Command.HOLD if running.trail is None else Command.ABORT


def _last_accepted(given: Given, box: str) -> Reply | None:
    """Find the press that makes another one, just after it, a bounce.

    A command by any box does: two people in a fright both mean the stop. The press that fired only
    by the same box: somebody elsewhere who stops it at once means it.
    """
    for who, reply in given:
        fired = reply.release is not None and who == box
        if reply.answer is Answer.ACCEPTED and (fired or reply.command):
            return reply
    return None


async def _given(db: AsyncConnection, running: DeploymentRecord, within_s: float) -> Given:
    """List what presses about this deployment were answered just now, by box, the newest first."""
    now = time.time()
    found = []
    for box, at, text in await armings.replies_since(db, now - within_s):
        reply = Reply.model_validate_json(text)
        # What the clock, set back, takes for the future must not silence the stop.
        if at <= now and reply.deployment == running.id:
            found.append((box, reply))
    return found
