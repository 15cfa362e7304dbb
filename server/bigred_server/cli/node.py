"""`bigred node`."""

import time
from pathlib import Path

import click

from bigred_broker.messages import AppEventType
from bigred_server.cli.options import (
    app_option,
    config_option,
    journal,
    person,
    pick_app,
    run,
    settings_of,
)
from bigred_server.errors import HaproxyError
from bigred_server.fleet.opened import opened
from bigred_server.fleet.real_fleet import RealFleet
from bigred_server.journal import deployments, events
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import deploy
from bigred_server.rollout.core import availability
from bigred_server.rollout.core.observation import Admin
from bigred_server.settings import AppSettings, Settings

_STATES = (Admin.READY, Admin.DRAIN, Admin.MAINT)


@click.command("node")
@click.argument("state", type=click.Choice([str(state) for state in _STATES]))
@click.argument("node")
@app_option
@click.option("--force", is_flag=True, help="Even if the other nodes would be too few.")
@config_option
def command(state: str, node: str, app: str | None, force: bool, config: Path | None) -> None:
    """Set the STATE of NODE in HAProxy: ready, drain or maint.

    READY puts it back into service as soon as it passes its health check. DRAIN sends it no new
    users; MAINT none at all. It is set in all backends of the app, on every HAProxy, and recorded
    with the app's newest deployment. While a deployment runs it is refused.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    ours = settings.fleet_of(name)
    if node not in ours.nodes:
        known = ", ".join(ours.nodes)
        raise click.ClickException(f"no node {node!r} of {name}; available: {known}")
    click.echo(run(_set(settings, name, node, Admin(state), force=force)))


async def _set(settings: Settings, app: str, node: str, state: Admin, *, force: bool) -> str:
    async with journal(settings) as db, opened(settings, app) as fleet:
        async with db.read() as connection:
            running = await deployments.running(connection, app)
            last = next(iter(await deployments.newest(connection, app, 1)), None)
        if running is not None:
            raise click.ClickException(deploy.already_running(running))
        if state is not Admin.READY and not force:
            await _refuse_if_needed(fleet, settings.fleet_of(app), node)
        shown = state.upper()
        await _record(db, last, node, f"{person()} sets it to {shown}")
        try:
            status = await fleet.set_state(node, state)
        except HaproxyError as error:
            await _record(db, last, node, f"it was not set to {shown}: {error}")
            raise
        await _record(db, last, node, f"it is in {shown}: {status}")
        return f"{node} is in {shown}: {status}"


async def _refuse_if_needed(fleet: RealFleet, app: AppSettings, node: str) -> None:
    """Raise ClickException if the others would be too few without a node."""
    seen = await fleet.look(deep=False)
    if seen.problem:
        raise HaproxyError(seen.problem)
    others = [
        look for name, look in seen.nodes.items() if name != node and availability.is_serving(look)
    ]
    if not availability.suffice(others, [node], seen.nodes, app.policy()):
        raise click.ClickException(
            f"without {node}, too few nodes would serve (min_healthy); add --force to do it anyway"
        )


async def _record(db: Database, last: DeploymentRecord | None, node: str, text: str) -> None:
    if last is not None:
        async with db.write() as connection:
            await events.add(connection, last.id, time.time(), AppEventType.FINDING, text, node)
