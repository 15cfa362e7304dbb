"""Columns on the command line: whole lines into a pipe, folded to the width at a terminal."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import click
import pytest
from rich.text import Text

from bigred_server.cli import table

HEADINGS = ("version", "by", "commit")
ROWS = [
    ("1.4.2", "Ada Lovelace of the analytical engine", "0123456789ab"),
    ("1.4.1", "Linus", "-"),
]
LONG = "prod-ingress_namespace-with-a-long-name_service-books-tomcat_8080"

Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        return click.unstyle(self.getvalue()).splitlines()


@contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    """Print to a terminal of this width."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(Terminal()) as terminal:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "xterm")
        yield terminal


def piped(capsys: Capture) -> list[str]:
    return capsys.readouterr().out.splitlines()


# --- into a pipe ---------------------------------------------------------------------------------


def test_into_a_pipe_each_row_is_one_plain_line(capsys: Capture) -> None:
    table.write(ROWS, HEADINGS)
    assert piped(capsys) == [
        "version  by                                     commit",
        "1.4.2    Ada Lovelace of the analytical engine  0123456789ab",
        "1.4.1    Linus                                  -",
    ]


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "COLUMNS"])
def test_no_environment_folds_or_colours_what_goes_into_a_pipe(
    variable: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "20")
    table.write([("a", LONG * 20, "b")], HEADINGS)
    assert piped(capsys)[1] == f"a        {LONG * 20}  b"


@pytest.mark.parametrize("cell", [":a: node:100:x", "[bold]n1[/]", "[/]", "[link=x]n[/link]"])
def test_text_that_looks_like_markup_is_printed_literally(cell: str, capsys: Capture) -> None:
    table.write([(cell, "x")])
    assert piped(capsys) == [f"{cell}  x"]


def test_control_characters_have_no_effect(capsys: Capture) -> None:
    table.write([("a\x1b[31m\nb", "c")], notes=["d\re"])
    assert piped(capsys) == ["a [31m b  c", "    d e"]


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"right": (0,)}, ["  a  1", "bbb  22"]),
        ({"least": (5,)}, ["a      1", "bbb    22"]),
        ({"indent": 2}, ["  a    1", "  bbb  22"]),
        ({"notes": ["", "why"]}, ["a    1", "bbb  22", "    why"]),
    ],
)
def test_columns_are_laid_out_as_requested(
    arguments: dict[str, Sequence[str]], lines: list[str], capsys: Capture
) -> None:
    table.write([("a", "1"), ("bbb", "22")], **arguments)  # type: ignore[arg-type]
    assert piped(capsys) == lines


def test_a_table_without_rows_has_only_its_headings(capsys: Capture) -> None:
    table.write([], HEADINGS)
    table.write([])
    assert piped(capsys) == ["version  by  commit"]


# --- at a terminal -------------------------------------------------------------------------------


def test_at_a_terminal_a_table_fits_the_width() -> None:
    with terminal(40) as seen:
        table.write(ROWS, HEADINGS)
    assert seen.lines() == [
        "version  by                 commit",
        "1.4.2    Ada Lovelace of    0123456789ab",
        "         the analytical",
        "         engine",
        "1.4.1    Linus              -",
    ]


def test_a_name_that_is_too_long_is_folded_and_never_cut() -> None:
    with terminal(40) as seen:
        table.write([(LONG, "n1, n2")], ("backend", "servers"))
    _, *lines = seen.lines()
    assert all(len(line) <= 40 for line in lines)
    assert "".join(line.split()[0] for line in lines) == LONG


def test_a_terminal_that_is_too_narrow_for_the_words_loses_no_letter() -> None:
    with terminal(20) as seen:
        table.write(ROWS, HEADINGS)
    assert all(len(line) <= 20 for line in seen.lines())
    whole = "".join("".join(row) for row in (HEADINGS, *ROWS)).replace(" ", "")
    assert sorted("".join(seen.lines()).replace(" ", "")) == sorted(whole)


@pytest.mark.parametrize("columns", [60, 30])
def test_a_note_goes_below_the_last_line_of_its_row(columns: int) -> None:
    with terminal(columns) as seen:
        table.write(ROWS, HEADINGS, notes=["first", "second"])
    assert seen.lines()[-1] == "    second"
    following = seen.lines()[seen.lines().index("    first") + 1]
    assert following.startswith("1.4.1")


def test_styles_show_only_at_a_terminal(capsys: Capture) -> None:
    row = (Text("bad", "red"), Text("node1\nits check has fall 1"))
    with terminal(40) as seen:
        table.write([row])
    assert seen.lines() == ["bad  node1", "     its check has fall 1"]
    assert "\x1b[" in seen.getvalue()
    table.write([row])
    assert piped(capsys) == seen.lines()
