"""Write text for people: wrap lines between words at a terminal, and format sizes and times.

In a pipe or a file, lines are not wrapped, for the programs that read them.
"""

import shutil
import sys
import textwrap
from datetime import datetime

import click

from bigred_server.model import plain_text

_MIB = 1024**2
_GIB = 1024**3


def write(text: str, indent: int = 0) -> None:
    """Write one line; if it is wrapped, indent the following lines by `indent` columns."""
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
    """Return foreign text on one line, without control characters, cut to `widest` characters."""
    line = plain_text.plain(text)
    return line if widest is None or len(line) <= widest else f"{line[: widest - 1]}…"


def size(octets: int) -> str:
    """Format a size in bytes for people."""
    if octets < _MIB:
        return f"{octets / 1024:.1f} KiB"
    if octets < _GIB:
        return f"{octets / _MIB:.1f} MiB"
    return f"{octets / _GIB:.1f} GiB"


def counted(number: int, what: str) -> str:
    """Return a number of things in words: "1 release", "3 releases"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def moment(at: float) -> str:
    """Format a Unix time as local date and time."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")
