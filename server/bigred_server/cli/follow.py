"""Follow a deployment in the terminal: print one line per event, and the receipt at the end."""

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
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.event_record import EventRecord
from bigred_server.rollout.core import receipt_text
from bigred_server.settings import Settings

_POLL_S = 0.2
_SERVER_CHECK_S = 2.0
_NODE_WIDTH = 12


async def follow(settings: Settings, db: Database, deployment: str) -> DeploymentRecord:
    """Print events until the deployment has ended; return its record.

    Raise NotRunningError if the server stops in the meantime.
    """
    seen = 0
    checked_at_s = time.monotonic()
    while True:
        async with db.read() as connection:
            record = await deployments.find(connection, deployment)
            news = await events.of_deployment(connection, deployment, seen)
        for event in news:
            seen = event.id
            write_event(event)
        if record is None or record.ended_at is not None:
            return _found(record, deployment)
        if time.monotonic() - checked_at_s > _SERVER_CHECK_S:
            checked_at_s = time.monotonic()
            if not await is_running(settings, db):
                raise NotRunningError(
                    f"the server has stopped; deployment {deployment} continues "
                    "when it is started again with: bigred server"
                )
        await asyncio.sleep(_POLL_S)


def _found(record: DeploymentRecord | None, deployment: str) -> DeploymentRecord:
    if record is None:
        raise click.ClickException(unknown_deployment(deployment))
    return record


def unknown_deployment(deployment: str) -> str:
    """Return the error for a deployment that is not in the journal."""
    return f"no deployment {deployment}; list the deployments with: bigred history"


def write_event(event: EventRecord) -> None:
    """Write an event as one line, in local time."""
    at = datetime.fromtimestamp(event.at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    table.write([(at, event.node or "-", event.text)], least=(len(at), _NODE_WIDTH))


def write_receipt(record: DeploymentRecord) -> None:
    """Write the receipt of a deployment as a few lines."""
    receipt = record.receipt
    phase = record.phase.replace("_", " ")
    if receipt is None:
        reason = f": {record.reason}" if record.reason else ""
        page.write(f"{record.id}: {phase}{reason}", indent=4)
    elif run := receipt.get("jenkins"):
        _write_job_receipt(receipt, run)
    else:
        for text in receipt_text.summary(receipt):
            page.write(text, indent=4)
        if receipt["per_node"]:
            rows = [receipt_text.times(node) for node in receipt["per_node"]]
            heads = receipt_text.TIMES
            table.write(rows, heads, right=range(1, len(heads)), indent=2)


def _write_job_receipt(receipt: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    page.write(f"{receipt_text.of_job(receipt)}: {run['url']}", indent=4)
    if run["stages"]:
        rows = [(one["name"], f"{one['seconds']:.1f}", one["status"]) for one in run["stages"]]
        table.write(rows, ("stage", "seconds", "status"), right=(1,), indent=2)
    if receipt["outcome"] != Phase.SUCCEEDED and run["console"]:
        for text in ("the end of the console:", *(f"  {line}" for line in run["console"])):
            page.write(text, indent=4)
