"""`bigred status`."""

from datetime import datetime
from pathlib import Path

import click

from bigred_broker.messages import AppState, ReleaseNote
from bigred_server.cli import page, table
from bigred_server.cli.options import (
    app_option,
    config_option,
    disk_notes,
    is_running,
    journal,
    pick_app,
    run,
    settings_of,
)
from bigred_server.fleet.opened import look_once
from bigred_server.journal import builds, deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.build import UNDER_WAY, WAITING, Build, build_text
from bigred_server.rollout.core import availability, verdict_text
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.out_of_service import why
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.sentences import at_node
from bigred_server.rollout.loop.app_state import app_state, changes_text
from bigred_server.rollout.loop.mapping import by_digest, recognised
from bigred_server.settings import Settings

_COMMIT = 12

# An app's state, what people should know of its nodes (or what its job deploys next), and its
# builds that are waiting or in progress.
AppStatus = tuple[AppState, list[str], list[Build]]


@click.command("status")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print the JSON that the server publishes.")
@config_option
def command(app: str | None, as_json: bool, config: Path | None) -> None:
    """Show each app: its live and next release, its deployment, and the state of every node."""
    settings = settings_of(config)
    names = [pick_app(settings, app)] if app else list(settings.apps)
    states, server_is_running = run(_states(settings, names))
    for state, notes, unfinished in states:
        if as_json:
            click.echo(state.model_dump_json(exclude_none=True))
        else:
            _print(state, [*map(build_text, unfinished), *notes])
    if not as_json:
        for text in disk_notes(settings):
            page.write(text, indent=4)
    if not as_json and not server_is_running:
        click.echo("The server is not running; start it with: bigred server", err=True)


async def _states(settings: Settings, names: list[str]) -> tuple[list[AppStatus], bool]:
    """Observe each app; also return whether a server is running."""
    async with journal(settings) as db:
        states = [await _state(settings, db, name) for name in names]
        return states, await is_running(settings, db)


async def _state(settings: Settings, db: Database, name: str) -> AppStatus:
    async with db.read() as connection:
        known = await releases.of_app(connection, name)
        last = next(iter(await deployments.newest(connection, name, 1)), None)
        unfinished = await builds.of_app(connection, name, WAITING | UNDER_WAY)
    if name in settings.jobs:
        nodes, notes = await _job_look(settings, name)
    else:
        look = await look_once(settings, name, known)
        nodes, notes = look.nodes, _notes(settings, name, look)
    looks = recognised(nodes, by_digest(known))
    return app_state(name, last, known, looks, None), notes, unfinished


def _notes(settings: Settings, name: str, look: FleetLook) -> list[str]:
    policy = settings.fleet_of(name).policy()
    notes = [look.problem, availability.obstacle(look.nodes, look.sharing, policy)]
    notes += [at_node(node, why(one)) for node, one in look.nodes.items() if why(one)]
    return [note for note in notes if note]


async def _job_look(settings: Settings, name: str) -> tuple[Looks, list[str]]:
    # Imported late: few sites have a Jenkins.
    from bigred_server.requests.job_preflight import job_preflight

    async with job_preflight(settings, name) as preflight:
        seen = await preflight.look()
    note = f"next: {seen.run.version} of {preflight.job.url}" if seen.run else seen.hindrance
    return {}, [note] if note else []


def _print(state: AppState, notes: list[str]) -> None:
    app = click.style(state.app, bold=True)
    page.write(f"{app}: live {_release(state.live)}, next {_release(state.candidate)}", indent=4)
    if state.candidate is not None and state.candidate.changed:
        _print_changes(state.candidate)
    if state.phase is not None:
        reason = f" ({state.reason})" if state.reason else ""
        since = datetime.fromisoformat(state.since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        page.write(
            f"deployment {state.deployment} of {_release(state.release)}, "
            f"started by {state.who}: {state.phase.replace('_', ' ')}, "
            f"{'ended' if state.phase.is_outcome else 'began'} {since}{reason}",
            indent=4,
        )
    if state.judgement is not None:
        page.write(verdict_text.summary(state.judgement), indent=4)
    for text in notes:
        page.write(text, indent=4)
    if state.nodes:
        rows = [(node.name, node.state, node.release or "-") for node in state.nodes]
        table.write(rows, ("node", "state", "release"))


def _print_changes(candidate: ReleaseNote) -> None:
    page.write(f"{changes_text(candidate)} since the live release:", indent=4)
    for change in candidate.changes:
        page.write(f"    {change.commit[:_COMMIT]} {page.plain(change.message)}", indent=8)
    if candidate.changed > len(candidate.changes):
        page.write(f"    and {candidate.changed - len(candidate.changes)} more", indent=8)


def _release(release: ReleaseNote | None) -> str:
    if release is None:
        return "none"
    return f"{release.version} by {release.author}" if release.author else release.version
