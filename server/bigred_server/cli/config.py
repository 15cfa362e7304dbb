"""`bigred config`."""

from collections.abc import Sequence

import click

from bigred_server.cli import page, table
from bigred_server.settings import example, lookup
from bigred_server.settings.lookup import NONE, REQUIRED, Explained
from bigred_server.settings.reference import parse


@click.command("config")
@click.argument("key", required=False)
def command(key: str | None) -> None:
    """Explain KEY of the configuration file: its meaning, its unit and its default.

    KEY is a key or a table, alone or with the tables it is in: drain_s, deadlines.drain_s,
    apps.shop.judge. Without KEY, list them all.
    """
    known = lookup.entries(parse(example()))
    found = lookup.find(key, known) if key else known
    if not found:
        near = ", ".join(entry.name for entry in lookup.near(key or "", known))
        hint = f"did you mean {near}?" if near else "list them with: bigred config"
        raise click.ClickException(f"the configuration has no key or table {key!r}; {hint}")
    if len(found) > 1:
        table.write([(entry.name, entry.summary) for entry in found], ("key", "meaning"))
    elif found[0].is_table:
        _explain_table(found[0], lookup.inside(found[0], known))
    else:
        (around,) = [entry for entry in known if entry.path == found[0].path[:-1]]
        _explain_key(found[0], around)


def _explain_key(entry: Explained, around: Explained) -> None:
    without = {REQUIRED: "required", NONE: "no default"}
    if entry.default in without:
        click.echo(f"{entry.name} ({without[entry.default]}; for example {entry.example})")
    else:
        click.echo(f"{entry.name} (default: {entry.default})")
    for text in (entry.text, f"{around.name}: {around.text}" if around.text else ""):
        if text:
            click.echo()
            page.write(text)


def _explain_table(entry: Explained, content: Sequence[Explained]) -> None:
    def below(one: Explained) -> str:
        return ".".join(one.path[len(entry.path) :])

    click.echo(entry.name)
    if entry.text:
        click.echo()
        page.write(entry.text)
    click.echo()
    rows = [
        (f"[{below(one)}]", "", one.summary)
        if one.is_table
        else (below(one), one.default, one.text)
        for one in content
    ]
    table.write(rows, ("key", "default", "meaning"))
