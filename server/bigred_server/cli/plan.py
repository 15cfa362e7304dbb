"""`bigred plan`."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from bigred_server.cli import page, table
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.doctor import haproxy_faults
from bigred_server.doctor.finding import Finding
from bigred_server.fleet.opened import look_once
from bigred_server.journal import deployments, releases
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release
from bigred_server.places import release_store
from bigred_server.requests import deploy
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import Coverage
from bigred_server.rollout.core.plan import NodePlan, Plan, plan, to_be
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.loop.adoption import rollback_target
from bigred_server.rollout.loop.mapping import KnownReleases, by_digest, recognised, target_of
from bigred_server.settings import AppSettings, Settings

_HISTORY = 50
_HEADINGS = ("node", "release", "steps", "sessions", "free", "seconds")


@dataclass(frozen=True)
class _Report:
    """A plan, and what is needed to print it."""

    app: str
    release: Release
    settings: AppSettings
    known: KnownReleases
    plan: Plan
    coverage: Coverage
    faults: list[Finding]


@click.command("plan")
@click.argument("version", required=False)
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@config_option
def command(version: str | None, app: str | None, as_json: bool, config: Path | None) -> None:
    """Show what `deploy` would do with VERSION on each node; nothing is touched.

    Without VERSION, plan the newest ready release. What in HAProxy's configuration would lose
    requests is named first. Exit code 0 if the deployment could begin now.
    """
    settings = settings_of(config)
    report = run(_plan(settings, pick_app(settings, app), version))
    if as_json:
        click.echo(json.dumps(_json(report), indent=2))
    else:
        _print(report)
    sys.exit(0 if report.plan.could_begin else 1)


async def _plan(settings: Settings, app: str, version: str | None) -> _Report:
    store, ours = release_store(settings.server), settings.fleet_of(app)
    async with journal(settings) as db, db.read() as connection:
        found = await releases.of_app(connection, app)
        running = await deployments.running(connection, app)
        past = await deployments.newest(connection, app, _HISTORY)
    release = deploy.chosen(found, app, version)
    deploy.need_war(store, release)
    look, known = await look_once(settings, app, found), by_digest(found)
    looks = recognised(look.nodes, known)
    back = rollback_target(looks, release.digest, known)
    previous = known.get(back or "")
    former = target_of(previous, ours.strategy) if previous else Target(back, "") if back else None
    target = target_of(release, ours.strategy)
    record = DeploymentRecord("", app, release.digest, back, "", 0.0)
    view = to_be(Deployment(record, target, former), looks, ours.policy(), look)
    history = [record.receipt for record in past if record.receipt]
    hindrance = deploy.already_running(running) if running else ""
    planned = plan(view, history, hindrance)
    faults = await haproxy_faults.faults(ours)
    return _Report(app, release, ours, known, planned, look.coverage, faults)


def _json(report: _Report) -> dict[str, object]:
    planned = report.plan
    return {
        "app": report.app,
        "release": report.release.version,
        "could_begin": planned.could_begin,
        "reason": planned.reason,
        "strategy": report.settings.strategy,
        "sessions_policy": report.settings.sessions,
        "hooks": planned.hooks,
        "batches": planned.batches,
        "skipped": planned.skipped,
        "seconds": planned.seconds,
        "sessions_lost": planned.sessions_lost,
        "unit": report.coverage.unit,
        "backends": report.coverage.backends,
        "unmanaged": report.coverage.unmanaged,
        "findings": [finding.as_json() for finding in report.faults],
        "nodes": [{**vars(node), "release": _version(report, node)} for node in planned.nodes],
    }


def _print(report: _Report) -> None:
    planned, release = report.plan, report.release
    author = f" by {release.author}" if release.author else ""
    click.echo(f"{report.app} {release.version}{author}, strategy {report.settings.strategy}")
    for sentence in _sentences(planned):
        page.write(sentence, indent=4)
    if report.coverage.unmanaged:
        names = ", ".join(report.coverage.unmanaged)
        text = f"Left alone, as configured: the users of {names} may lose requests."
        page.write(text, indent=4)
    for one in report.faults:
        page.write(f"{one.level}: {one.where}: {one.text}; {one.fix}", indent=4)
    table.write([_row(report, node) for node in planned.nodes], _HEADINGS)
    fates = [(one.fate, one.name) for one in planned.nodes if one.steps]
    for text, names in _by_text(fates).items():
        page.write(f"sessions on {names}: {text}", indent=4)
    for text, names in _by_text([(one.trouble, one.name) for one in planned.nodes]).items():
        page.write(f"{names}: {text}", indent=4)


def _row(report: _Report, node: NodePlan) -> tuple[str, ...]:
    return (
        node.name,
        _version(report, node) + (f" → {report.release.version}" if node.steps else ""),
        " ".join(node.steps) or "-",
        "?" if node.sessions is None else str(node.sessions),
        "?" if node.free is None else page.size(node.free),
        _seconds(node.seconds) if node.steps else "-",
    )


def _sentences(planned: Plan) -> list[str]:
    if not planned.could_begin:
        return [f"It can't begin now: {planned.reason}"]
    order = ", then ".join(" with ".join(batch) for batch in planned.batches)
    duration = "unknown (no history yet)"
    if planned.seconds is not None:
        duration = f"about {planned.seconds:g} s"
    lost = "unknown" if planned.sessions_lost is None else str(planned.sessions_lost)
    sentences = [
        f"It can begin now. Order: {order or 'no node needs it'}. "
        f"Duration: {duration}. Sessions lost: {lost}."
    ]
    if planned.hooks:
        sentences.append(f"Hooks, not included in the duration: {', '.join(planned.hooks)}.")
    if planned.skipped:
        sentences.append(f"Skipped (not in service): {', '.join(planned.skipped)}.")
    return sentences


def _by_text(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the names of the nodes for each different text."""
    found: dict[str, list[str]] = {}
    for text, name in pairs:
        if text:
            found.setdefault(text, []).append(name)
    return {text: ", ".join(names) for text, names in found.items()}


def _seconds(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:g}"


def _version(report: _Report, node: NodePlan) -> str:
    if not node.digest:
        return "-"
    known = report.known.get(node.digest)
    return known.version if known else node.digest[:12]
