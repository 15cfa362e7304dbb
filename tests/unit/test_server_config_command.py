"""`bigred config` explains each key from the reference, and finds it by any part of its name."""

import re

import pytest
from click.testing import CliRunner, Result

from bigred_server.cli import bigred
from bigred_server.settings import example, lookup
from bigred_server.settings.lookup import Explained
from bigred_server.settings.reference import parse

KNOWN = lookup.entries(parse(example()))


def config(*arguments: str) -> Result:
    return CliRunner().invoke(bigred, ["config", *arguments], prog_name="bigred")


def found(wanted: str) -> list[str]:
    return [entry.name for entry in lookup.find(wanted, KNOWN)]


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.name)
def test_every_key_and_every_table_is_explained(entry: Explained) -> None:
    assert re.fullmatch(r"[A-Z].*\.", entry.text), entry.text


def test_no_comment_is_wider_than_the_page() -> None:
    assert max(map(len, example().splitlines())) <= 100


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("drain_s", ["apps.NAME.deadlines.drain_s"]),
        ("deadlines.drain_s", ["apps.NAME.deadlines.drain_s"]),
        ("apps.NAME.drain_s", ["apps.NAME.deadlines.drain_s"]),
        ("apps.shop.drain_s", ["apps.NAME.deadlines.drain_s"]),
        ("apps.shop.deadlines.drain_s", ["apps.NAME.deadlines.drain_s"]),
        ("judge", ["[apps.NAME.judge]"]),
        ("[apps.NAME.judge]", ["[apps.NAME.judge]"]),
        ("apps.shop.judge", ["[apps.NAME.judge]"]),
        ("hold_s", ["apps.NAME.judge.hold_s", "apps.NAME.deadlines.hold_s"]),
        ("judge.hold_s", ["apps.NAME.judge.hold_s"]),
        ("apps.shop.judge.hold_s", ["apps.NAME.judge.hold_s"]),
        ("apps", ["[apps.NAME]"]),
        ("nodes", ["[apps.NAME.nodes.NAME]"]),
        ("apps.shop.nodes.node1", ["[apps.NAME.nodes.NAME]"]),
        ("boxes.app", ["boxes.NAME.app"]),
        ("server", ["[server]"]),
        ("apps.shop.build.environment.PATH", ["apps.NAME.build.environment.NAME"]),
        ("NAME", []),
        ("drain", []),
        ("", []),
        (".", []),
    ],
)
def test_a_key_is_found_by_any_part_of_its_path(wanted: str, names: list[str]) -> None:
    assert found(wanted) == names


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.name)
def test_the_whole_path_finds_exactly_one(entry: Explained) -> None:
    assert found(".".join(entry.path)) == [entry.name]


def test_a_key_is_explained_with_its_default_and_its_table() -> None:
    done = config("drain_s")
    assert done.exit_code == 0
    name, _, meaning, _, table = done.output.splitlines()
    assert name == "apps.NAME.deadlines.drain_s (default: 30.0)"
    assert meaning.startswith("How long requests in flight may take to finish")
    assert table.startswith("[apps.NAME.deadlines]: Deadlines in seconds.")


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("server.state", 'server.state (required; for example "/var/lib/bigred")'),
        ("broker.tls.key", 'broker.tls.key (no default; for example "/etc/bigred/server.key")'),
        ("sessions_shared", "apps.NAME.sessions_shared (default: false)"),
        ("on_hold_deadline", 'apps.NAME.deadlines.on_hold_deadline (default: "rollback")'),
        ("smoke", "apps.NAME.admission.smoke (default: [])"),
    ],
)
def test_a_default_is_written_as_in_the_file(wanted: str, says: str) -> None:
    assert config(wanted).output.splitlines()[0] == says


def test_a_table_is_explained_with_its_keys_and_the_tables_in_it() -> None:
    done = config("apps.NAME.judge")
    assert done.exit_code == 0
    name, _, meaning, _, heading, *rows = done.output.splitlines()
    assert name == "[apps.NAME.judge]"
    assert meaning.startswith("The judge compares ")
    assert heading.split() == ["key", "default", "meaning"]
    assert rows[0].startswith('mode           "watch"   What the judge may do. ')
    assert [row.split()[0] for row in rows[-2:]] == ["[guards]", "[probes]"]
    assert len(rows) == 15


def test_several_matches_are_listed() -> None:
    done = config("hold_s")
    assert done.exit_code == 0
    heading, *rows = done.output.splitlines()
    assert heading.split() == ["key", "meaning"]
    assert [row.split()[0] for row in rows] == found("hold_s")


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ("drain_secs", "did you mean apps.NAME.deadlines.drain_s"),
        ("apps.shop.jugde", "did you mean [apps.NAME.judge]"),
        ("zzz", "list them with: bigred config"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(wanted: str, hint: str) -> None:
    done = config(wanted)
    assert done.exit_code == 1
    assert f"no key or table {wanted!r}; {hint}" in done.output


def test_without_a_key_all_are_listed_with_their_first_sentence() -> None:
    done = config()
    assert done.exit_code == 0
    _, *rows = done.output.splitlines()
    assert [row.split()[0] for row in rows] == [entry.name for entry in KNOWN]
    assert "  How many nodes are updated first, one at a time" in done.output
