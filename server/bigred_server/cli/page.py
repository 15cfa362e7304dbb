"""Writes long lines so that a person can read them: wrapped between words at a terminal.

Into a pipe or a file each line goes as it is, for the programs that read them.
"""

import shutil
import sys
import textwrap
from datetime import datetime

import click

from bigred_server.model import release

_MIB = 1024 * 1024


def write(text: str, indent: int = 0) -> None:
    """Write one line; where it must be continued, `indent` columns from the left."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        text = textwrap.fill(
            text,
            width,
            subsequent_indent=" " * min(indent, width // 2),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
            replace_whitespace=False,
        )
    click.echo(text)


def plain(text: str, widest: int | None = None) -> str:
    """Give a text of others so that it can do nothing to the terminal, in one line, cut to fit."""
    told = release.plain(text)
    return told if widest is None or len(told) <= widest else f"{told[: widest - 1]}…"


def size(octets: int) -> str:
    """Write a size as people read it."""
    if octets < _MIB:
        return f"{octets / 1024:.1f} KiB"
    return f"{octets / _MIB:.1f} MiB"


def moment(at: float) -> str:
    """Write a moment of Unix time in this machine's time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
