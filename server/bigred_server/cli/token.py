"""`bigred token`: who may use the HTTP API."""

import dataclasses
import json
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from bigred_broker.topics import is_id
from bigred_server.cli import table
from bigred_server.cli.options import config_option, journal, person, run, settings_of
from bigred_server.journal import api_tokens
from bigred_server.model import api_token
from bigred_server.model.api_token import ApiToken, Role
from bigred_server.settings import Settings

_UNITS_S = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_NEVER = "never"
_LONGEST_S = 100 * 366 * 86_400
_HEADINGS = ("token", "name", "role", "created", "by", "expires", "last used")


class _Lifetime(click.ParamType[float | None]):
    """A time such as `30d`, in seconds; None for `never`."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        text = str(value)
        if text == _NEVER:
            return None
        parsed = re.fullmatch(r"([1-9][0-9]{0,6})([hdw])", text)
        seconds = int(parsed[1]) * _UNITS_S[parsed[2]] if parsed else 0
        if not 0 < seconds <= _LONGEST_S:
            self.fail(f"{text!r} is not a time such as 12h, 30d, 52w or {_NEVER}", param, ctx)
        return float(seconds)


@click.group("token")
def command() -> None:
    """Create, list and revoke tokens for the HTTP API."""


@command.command("create")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    help="viewer reads; operator also deploys, holds and rolls back; admin does everything.",
)
@click.option(
    "--expires",
    type=_Lifetime(),
    default="365d",
    show_default=True,
    help=f"How long it is valid, such as 12h, 30d or 52w, or {_NEVER}.",
)
@config_option
def create(name: str, role: str, expires: float | None, config: Path | None) -> None:
    """Create a token for the person or program NAME, who may have several.

    It is valid at once, and shown only once: the journal has only its SHA-256.
    """
    if not is_id(name):
        raise click.ClickException(
            f"{name!r} is not a valid name for a token; use 1 to 32 of a-z, 0-9 and hyphens"
        )
    now = time.time()
    token = ApiToken(
        api_token.new_token_id(),
        name,
        Role(role),
        now,
        person(),
        expires_at=None if expires is None else now + expires,
    )
    secret = api_token.new_secret()
    run(_add(settings_of(config), token, secret))
    until = "it never expires" if expires is None else f"it is valid until {_day(token.expires_at)}"
    click.echo(f"token {token.id} of {name}, {role}; {until}", err=True)
    click.echo("the token itself, which is not shown again:", err=True)
    click.echo(secret)


@command.command("list")
@click.option("--all", "-a", "also_ended", is_flag=True, help="Include expired and revoked ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times are in Unix time.")
@config_option
def list_(also_ended: bool, as_json: bool, config: Path | None) -> None:
    """List the tokens: whose they are, and when each was used last."""
    now = time.time()
    known = run(_every(settings_of(config)))
    shown = [token for token in known if also_ended or token.is_valid(now)]
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(token) for token in shown], indent=2))
    elif not shown:
        click.echo("no tokens; create one with: bigred token create NAME")
    else:
        table.write([*map(_row, shown)], _HEADINGS, notes=[_ended(token, now) for token in shown])


@command.command("revoke")
@click.argument("which", metavar="TOKEN|NAME")
@config_option
def revoke(which: str, config: Path | None) -> None:
    """Revoke a token, or all tokens of a person or program; from now on it is refused.

    A token is named by its id, as `bigred token list` shows it.
    """
    settings = settings_of(config)
    now = time.time()
    known = [token for token in run(_every(settings)) if token.revoked_at is None]
    found = [token for token in known if token.id == which]
    found = found or [token for token in known if token.name == which]
    if not found:
        raise click.ClickException(
            f"no token or owner of one is named {which!r}; see: bigred token list"
        )
    run(_revoke(settings, found, now))
    for token in found:
        click.echo(f"revoked token {token.id} of {token.name}, {token.role}")


def _row(token: ApiToken) -> tuple[str, ...]:
    return (
        token.id,
        token.name,
        token.role,
        _day(token.created_at),
        token.created_by,
        _day(token.expires_at) if token.expires_at is not None else _NEVER,
        _day(token.used_at) if token.used_at is not None else _NEVER,
    )


def _ended(token: ApiToken, now: float) -> str:
    if token.revoked_at is not None:
        return f"revoked by {token.revoked_by} at {_day(token.revoked_at)}"
    return "expired" if token.is_expired(now) else ""


def _day(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0.0).astimezone().strftime("%Y-%m-%d %H:%M")


async def _add(settings: Settings, token: ApiToken, secret: str) -> None:
    async with journal(settings) as db, db.write() as connection:
        await api_tokens.add(connection, token, api_token.digest(secret))


async def _every(settings: Settings) -> Sequence[ApiToken]:
    async with journal(settings) as db, db.read() as connection:
        return await api_tokens.every(connection)


async def _revoke(settings: Settings, tokens: Sequence[ApiToken], now: float) -> None:
    who = person()
    async with journal(settings) as db, db.write() as connection:
        for token in tokens:
            await api_tokens.revoke(connection, token.id, now, who)
