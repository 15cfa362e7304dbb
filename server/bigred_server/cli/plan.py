"""`bigred plan`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from bigred_server.cli import page, table
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.fleet import RealFleet
from bigred_server.journal import deployments, releases
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release
from bigred_server.places import release_store
from bigred_server.requests import deploy
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.plan import NodePlan, Plan, plan, to_be
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.loop.adoption import rollback_target
from bigred_server.rollout.loop.mapping import KnownReleases, by_digest, recognised, target_of
from bigred_server.settings import AppSettings, Settings
from bigred_server.tomcat.hosts import Hosts
from bigred_server.tomcat.probe import client

_HISTORY = 50
_HEADINGS = ("node", "release", "steps", "sessions", "free", "seconds")


@dataclass(frozen=True)
class _Told:
    """A plan, and what it takes to tell it."""

    app: str
    release: Release
    settings: AppSettings
    known: KnownReleases
    plan: Plan


@click.command("plan")
@click.argument("version", required=False)
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@config_option
def command(version: str | None, app: str | None, as_json: bool, config: Path | None) -> None:
    """Show what `deploy` would do with VERSION, node by node; nothing is touched.

    Without VERSION it is the newest ready release. Exit code 0 when it could begin now.
    """
    settings = settings_of(config)
    told = run(_plan(settings, pick_app(settings, app), version))
    if as_json:
        click.echo(json.dumps(_json(told), indent=2))
    else:
        _print(told)
    sys.exit(0 if told.plan.could_begin else 1)


async def _plan(settings: Settings, app: str, version: str | None) -> _Told:
    store, ours = release_store(settings.server), settings.fleet_of(app)
    async with journal(settings) as db, db.read() as connection:
        found = await releases.of_app(connection, app)
        running = await deployments.running(connection, app)
        past = await deployments.newest(connection, app, _HISTORY)
    release = deploy.chosen(found, app, version)
    deploy.need_war(store, release)
    look, known = await _look(settings, app), by_digest(found)
    looks = recognised(look.nodes, known)
    back = rollback_target(looks, release.digest, known)
    previous = known.get(back or "")
    former = target_of(previous, ours.strategy) if previous else Target(back, "") if back else None
    target = target_of(release, ours.strategy)
    record = DeploymentRecord("", app, release.digest, back, "", 0.0)
    view = to_be(Deployment(record, target, former), looks, ours.policy(), look.queued)
    history = [record.receipt for record in past if record.receipt]
    hindrance = deploy.already_running(running) if running else ""
    return _Told(app, release, ours, known, plan(view, history, hindrance))


async def _look(settings: Settings, app: str) -> FleetLook:
    async with client() as http:
        fleet = RealFleet(settings, app, release_store(settings.server), http, Hosts())
        try:
            return await fleet.look(deep=True)
        finally:
            await fleet.close()


def _json(told: _Told) -> dict[str, object]:
    made = told.plan
    return {
        "app": told.app,
        "release": told.release.version,
        "could_begin": made.could_begin,
        "reason": made.reason,
        "strategy": told.settings.strategy,
        "sessions_policy": told.settings.sessions,
        "hooks": made.hooks,
        "batches": made.batches,
        "skipped": made.skipped,
        "seconds": made.seconds,
        "sessions_lost": made.sessions_lost,
        "nodes": [{**vars(node), "release": _version(told, node)} for node in made.nodes],
    }


def _print(told: _Told) -> None:
    made, release = told.plan, told.release
    author = f" by {release.author}" if release.author else ""
    click.echo(f"{told.app} {release.version}{author}, by {told.settings.strategy}")
    for sentence in _sentences(made):
        page.write(sentence, indent=4)
    table.write([_row(told, node) for node in made.nodes], _HEADINGS)
    for text, names in _by_text([(one.fate, one.name) for one in made.nodes if one.steps]).items():
        page.write(f"sessions on {names}: {text}", indent=4)
    for text, names in _by_text([(one.trouble, one.name) for one in made.nodes]).items():
        page.write(f"{names}: {text}", indent=4)


def _row(told: _Told, node: NodePlan) -> tuple[str, ...]:
    return (
        node.name,
        _version(told, node) + (f" → {told.release.version}" if node.steps else ""),
        " ".join(node.steps) or "-",
        "?" if node.sessions is None else str(node.sessions),
        "?" if node.free is None else page.size(node.free),
        _seconds(node.seconds) if node.steps else "-",
    )


def _sentences(made: Plan) -> list[str]:
    if not made.could_begin:
        return [f"It could not begin now: {made.reason}"]
    order = ", then ".join(" with ".join(batch) for batch in made.batches)
    whole = "nobody knows how long: there is no history yet"
    if made.seconds is not None:
        whole = f"about {made.seconds:g} s in all"
    lost = "unknown" if made.sessions_lost is None else str(made.sessions_lost)
    told = [f"It could begin now: {order or 'no node needs it'}; {whole}; sessions lost: {lost}."]
    if made.hooks:
        told.append(f"Hooks that run, their time not counted: {', '.join(made.hooks)}.")
    if made.skipped:
        told.append(f"Skipped, for they are down: {', '.join(made.skipped)}.")
    return told


def _by_text(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Say a text once for all the nodes that it is about."""
    found: dict[str, list[str]] = {}
    for text, name in pairs:
        if text:
            found.setdefault(text, []).append(name)
    return {text: ", ".join(names) for text, names in found.items()}


def _seconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:g}"


def _version(told: _Told, node: NodePlan) -> str:
    if not node.digest:
        return "-"
    known = told.known.get(node.digest)
    return known.version if known else node.digest[:12]
