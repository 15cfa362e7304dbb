"""Follows a deployment in the terminal: an event a line, and the receipt at the end."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any  # a receipt is JSON

import click

from bigred_broker.messages import Phase
from bigred_server.cli import page, table
from bigred_server.cli.options import is_running
from bigred_server.errors import NotRunningError
from bigred_server.journal import deployments, events
from bigred_server.journal.database import Database
from bigred_server.journal.events import EventRecord
from bigred_server.judge.policy import Mode
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import verdict_text
from bigred_server.settings import Settings

_POLL_S = 0.2
_SERVER_CHECK_S = 2.0
_NODE_WIDTH = 12
_TIMES = ("node", "seconds", "drain", "stop", "start", "check")


async def follow(settings: Settings, db: Database, deployment: str) -> DeploymentRecord:
    """Print what happens until the deployment has ended; give it.

    Raises NotRunningError when the server goes away meanwhile.
    """
    seen = 0
    checked_at_s = time.monotonic()
    while True:
        async with db.read() as connection:
            record = await deployments.find(connection, deployment)
            news = await events.of_deployment(connection, deployment, seen)
        for event in news:
            seen = event.id
            tell(event)
        if record is None or record.ended_at is not None:
            return _found(record, deployment)
        if time.monotonic() - checked_at_s > _SERVER_CHECK_S:
            checked_at_s = time.monotonic()
            if not await is_running(settings, db):
                raise NotRunningError(
                    f"the server is gone; {deployment} goes on when it is started again"
                )
        await asyncio.sleep(_POLL_S)


def _found(record: DeploymentRecord | None, deployment: str) -> DeploymentRecord:
    if record is None:
        raise click.ClickException(f"there is no deployment {deployment}")
    return record


def tell(event: EventRecord) -> None:
    """Write an event as a line, in this machine's time."""
    at = datetime.fromtimestamp(event.at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    table.write([(at, event.node or "-", event.text)], least=(len(at), _NODE_WIDTH))


def conclude(record: DeploymentRecord) -> None:
    """Write the receipt as a few lines."""
    slip = record.receipt
    phase = record.phase.replace("_", " ")
    if slip is None:
        reason = f": {record.reason}" if record.reason else ""
        page.write(f"{record.id}: {phase}{reason}", indent=4)
    elif run := slip.get("jenkins"):
        _conclude_job(slip, run)
    else:
        for text in _summary(slip, phase):
            page.write(text, indent=4)
        if slip["per_node"]:
            rows = [_times(node) for node in slip["per_node"]]
            table.write(rows, _TIMES, right=range(1, len(_TIMES)), indent=2)


def _summary(slip: Mapping[str, Any], phase: str) -> list[str]:
    lines = [
        f"{slip['app']} {slip['release']}: {phase} on {slip['nodes']} nodes "
        f"in {slip['seconds']:.1f} s, by {slip['who']}"
        + (f" ({slip['reason']})" if slip["reason"] else ""),
        f"{slip['requests']} requests meanwhile, {slip['failed']} failed, "
        f"{slip['retried']} retried",
    ]
    if judged := slip.get("judgement"):
        judgement = verdict_text.from_json(judged)
        lines.append(
            f"{verdict_text.full_text(judgement, Mode.OFF)}; {verdict_text.detectable(judgement)}"
        )
    if slip["skipped"]:
        lines.append(f"skipped, because they were down: {', '.join(slip['skipped'])}")
    return lines


def _conclude_job(slip: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    outcome = slip["outcome"].replace("_", " ")
    reason = f" ({slip['reason']})" if slip["reason"] else ""
    page.write(
        f"{slip['app']} {slip['release']}: {outcome} in {slip['seconds']:.1f} s, by {slip['who']}"
        f"{reason}: {run['url']}",
        indent=4,
    )
    if run["stages"]:
        rows = [(one["name"], f"{one['seconds']:.1f}", one["status"]) for one in run["stages"]]
        table.write(rows, ("stage", "seconds", "status"), right=(1,), indent=2)
    if slip["outcome"] != Phase.SUCCEEDED and run["console"]:
        for text in ("the console's end:", *(f"  {line}" for line in run["console"])):
            page.write(text, indent=4)


def _times(node: Mapping[str, Any]) -> tuple[str, ...]:
    if not node["seconds"]:
        return (node["name"], "-", "-", "-", "-", "-")
    times = (node[key] for key in ("seconds", "drain_s", "stop_s", "start_s", "check_s"))
    return (node["name"], *(f"{seconds:.2f}" for seconds in times))
