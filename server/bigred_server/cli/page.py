"""Writes long lines so that a person can read them: wrapped between words at a terminal.

Into a pipe or a file each line goes as it is, for the programs that read them.
"""

import shutil
import sys
import textwrap

import click


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
