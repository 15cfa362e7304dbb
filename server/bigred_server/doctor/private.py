"""Check that others can't read what is the server's own: its state, its secrets, its keys."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.hook.owner import FileOwner
from bigred_server.protection import too_open
from bigred_server.settings import ServerSettings, Settings

_CODE = "private"
_WHERE = "server"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def state(server: ServerSettings) -> list[Finding]:
    """Check the owner of the state folder, and that nobody else can open what is in it."""
    if not server.state.exists():
        return []
    if not os.access(server.state, os.R_OK | os.X_OK):
        fix = f"run this as {FileOwner(server.state.stat().st_uid, 0).name}"
        text = f"{server.state} is closed to us"
        return [Finding(_CODE, Severity.UNKNOWN, _WHERE, text, fix)]
    open_ = [(path, _mode(path)) for path, _ in too_open(server)]
    if not open_:
        text = f"{server.state} and what is in it is accessible only to its owner"
        findings = [Finding(_CODE, Severity.OK, _WHERE, text)]
    else:
        path, mode = open_[0]
        more = f", and {len(open_) - 1} more in {server.state}" if len(open_) > 1 else ""
        text = f"{path} is accessible to other users (mode {mode:o}){more}"
        fix = "restart the server, which closes them, or logs why it can't"
        findings = [Finding(_CODE, Severity.WARN, _WHERE, text, fix)]
    return [*findings, *_owner(server.state)]


def server_user(state: Path) -> int | None:
    """Return the user who runs the server; None if that can't be seen.

    Anybody may examine the server; whose journal it is tells who runs it.
    """
    try:
        return (state / "bigred.db").stat().st_uid
    except OSError:
        return None


def _owner(folder: Path) -> list[Finding]:
    owner = folder.stat()
    user = server_user(folder)
    if user is None:
        user = os.geteuid()
    if user == owner.st_uid:
        return []
    theirs, ours = FileOwner(owner.st_uid, owner.st_gid).name, FileOwner(user, user).name
    text = f"{folder} belongs to {theirs}, but the server runs as {ours}"
    fix = f"give it, with all that is in it, to the user of the server: chown -R {ours} {folder}"
    return [Finding(_CODE, Severity.BAD, _WHERE, text, fix)]


def configuration(file: Path, settings: Settings) -> list[Finding]:
    """Check the configuration file, if it has secrets in it, and the files with secrets."""
    findings = [site.secret(where, path) for where, path in _files(settings)]
    keys = list(_secret_keys(settings))
    mode = _mode(file)
    if keys and mode & _OTHERS:
        text = (
            f"{file} is accessible to other users (mode {mode:o}), and has secrets in it: "
            f"{', '.join(keys)}"
        )
        fix = f"give it to the user of the server, and chmod 600 {file}"
        findings.append(Finding(_CODE, Severity.WARN, _WHERE, text, fix))
    return findings


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """List the files that hold nothing but a secret and belong to no node and no job."""
    if settings.broker.tls and settings.broker.tls.key:
        yield "broker", settings.broker.tls.key
    if settings.api.tls:
        yield "api", settings.api.tls.key
    for name, app in settings.apps.items():
        for notify in app.notify.values():
            if notify.urls_file:
                yield name, notify.urls_file
    for name, fleet in settings.fleets.items():
        if fleet.build and fleet.build.webhook_secret_file:
            yield name, fleet.build.webhook_secret_file


def _secret_keys(settings: Settings) -> Iterator[str]:
    """Name the keys of the configuration whose values are secrets."""
    if settings.broker.password:
        yield "broker.password"
    if _has_password(settings.server.database):
        yield "server.database"
    for name, app in settings.apps.items():
        for who, notify in app.notify.items():
            if notify.urls:
                yield f"apps.{name}.notify.{who}.urls"
    for name, fleet in settings.fleets.items():
        if fleet.build and _has_password(fleet.build.repository):
            yield f"apps.{name}.build.repository"
        for series, source in fleet.series.items():
            if _has_password(source.database):
                yield f"apps.{name}.series.{series}.database"


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False
