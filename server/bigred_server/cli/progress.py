"""Show how far a long copy is, at a terminal only."""

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

Count = Callable[[int], None]


@contextlib.contextmanager
def progress(what: str) -> Iterator[tuple[Count, Count]]:
    """Yield two functions: one that is told the number of bytes, and one each part of it."""
    with contextlib.ExitStack() as stack:
        bars = []

        def begin(length: int) -> None:
            if sys.stderr.isatty():
                bar = click.progressbar(length=length, label=what, file=sys.stderr)
                bars.append(stack.enter_context(bar))

        def advance(part: int) -> None:
            for bar in bars:
                bar.update(part)

        yield begin, advance
