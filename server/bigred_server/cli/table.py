"""Print tables, for every verb of the command line.

At a terminal a table fits the width: long cells are folded, never cut. In a pipe or a file each row
is one plain line, however long, for the programs that read it.
"""

import sys
from collections.abc import Collection, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from bigred_server.cli import page

Cell = str | Text

_GAP = 2
_NOTE_INDENT = 4
_UNLIMITED = 1_000_000
# A column up to this width, or a word in a wider column, is folded only if there is no room.
_NARROW = 12
_ROW = "row"


def write(
    rows: Sequence[Sequence[Cell]],
    headings: Sequence[str] = (),
    *,
    notes: Sequence[str] = (),
    right: Collection[int] = (),
    least: Sequence[int] = (),
    indent: int = 0,
) -> None:
    """Write rows in columns; cells are printed literally, even if they look like markup.

    `notes`: for each row, a line to print below it, or "". `right`: the columns to align to the
    right. `least`: the minimum width of each column, from the first.
    """
    if not (rows or headings):
        return
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else _UNLIMITED
    console = Console(width=width, force_terminal=is_terminal, highlight=False)
    cells = [[_text(cell) for cell in row] for row in rows]
    table = Table(box=None, show_header=bool(headings), pad_edge=False, padding=(0, _GAP, 0, 0))
    names = [Text(name) for name in headings] or [Text()] * len(cells[0])
    columns = [*zip(names, *cells, strict=True)]
    has_room = indent + sum(map(_needed, columns)) - _GAP <= console.width
    for number, column in enumerate(columns):
        table.add_column(
            column[0],
            justify="right" if number in right else "left",
            min_width=least[number] if number < len(least) else None,
            no_wrap=has_room and _width(column) <= _NARROW,
            overflow="fold",
        )
    for number, row in enumerate(cells):
        table.add_row(*row, style=Style(meta={_ROW: number}))
    for line, ended in _lines(console, Padding(table, (0, 0, 0, indent), expand=False)):
        console.print(line, soft_wrap=True)
        if ended is not None and ended < len(notes) and notes[ended]:
            page.write(" " * _NOTE_INDENT + page.plain(notes[ended]), indent=_NOTE_INDENT)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(page.plain(cell))


def _width(column: Sequence[Text]) -> int:
    return max(cell.cell_len for cell in column)


def _needed(column: Sequence[Text]) -> int:
    """Return the width that a column needs: a narrow one its own, a wide one that of its words."""
    if (width := _width(column)) > _NARROW:
        words = [cell_len(word) for cell in column for word in cell.plain.split()]
        width = min(max(words), _NARROW)
    return width + _GAP


def _lines(console: Console, table: Padding) -> Iterator[tuple[Text, int | None]]:
    """Yield the lines of a table; the last line of each row comes with the row's number."""
    drawn: list[tuple[Text, int | None]] = []
    for parts in console.render_lines(table, pad=False):
        line = Text.assemble(*((part.text, part.style or "") for part in parts))
        line.rstrip()
        numbers = (part.style.meta.get(_ROW) for part in parts if part.style)
        drawn.append((line, next((one for one in numbers if one is not None), None)))
    for (line, number), (_, following) in zip(drawn, [*drawn[1:], (Text(), None)], strict=True):
        yield line, number if number != following else None
