"""Lines that fit a terminal: what has to be left out is always marked by an ellipsis. Pure."""

import textwrap
from collections.abc import Sequence

from rich.text import Text

_ELLIPSIS = "…"
_IN_ASCII = str.maketrans("…─│┌┐└┘┴█▄░•", "~-|+++++##.*")


def cut(line: Text, width: int) -> Text:
    """Return a line of at most `width` cells."""
    fitted = line.copy()
    fitted.truncate(max(width, 0), overflow="ellipsis")
    return fitted


def wrapped(text: str, width: int, style: str = "", indent: int = 0) -> list[Text]:
    """Break a sentence between words; indent all lines but the first by `indent`."""
    width = max(width, indent + 1)
    lines = textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)
    # textwrap counts characters; a few of them are two cells wide.
    return [cut(Text(line, style=style), width) for line in lines or [""]]


def packed(words: Sequence[str], width: int, style: str = "") -> list[Text]:
    """Return words that belong together, as many per line as fit."""
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]}   {word}" if lines else word
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [cut(Text(line, style=style), width) for line in lines]


def at_most(lines: Sequence[Text], rows: int, width: int) -> list[Text]:
    """Return the first `rows` lines; if some are left out, the last one ends with an ellipsis."""
    if len(lines) <= rows:
        return list(lines)
    kept = list(lines[: max(rows, 0)])
    if kept:
        last = kept[-1].copy()
        if last.cell_len > width - 2:
            last.truncate(max(width - 2, 0))
            last.right_crop(len(last.plain) - max(last.plain.rfind(" "), 0))
        last.append(f" {_ELLIPSIS}")
        kept[-1] = cut(last, width)
    return kept


def newest(entries: Sequence[Sequence[Text]], rows: int, width: int) -> list[Text]:
    """Return the newest entries that fit whole into `rows` lines, or the newest one cut."""
    chosen: list[Text] = []
    for entry in reversed(entries):
        if len(chosen) + len(entry) > rows:
            return chosen or at_most(entry, rows, width)
        chosen = [*entry, *chosen]
    return chosen


def rule(title: str, width: int) -> Text:
    """Return the line above a part of the screen."""
    line = cut(Text(f"── {title} "), width)
    line.append("─" * (width - line.cell_len))
    line.stylize("dim", 0, 2)
    line.stylize("dim", len(title) + 4)
    line.stylize("bold", 3, len(title) + 3)
    return line


def beside(left: Sequence[Text], right: Sequence[Text], left_width: int, gap: int) -> list[Text]:
    """Return two columns as lines."""
    lines = []
    for number in range(max(len(left), len(right))):
        line = left[number].copy() if number < len(left) else Text()
        line.truncate(left_width, overflow="ellipsis", pad=True)
        if number < len(right):
            line = Text.assemble(line, " " * gap, right[number])
        lines.append(line)
    return lines


def bar(done: int, total: int, width: int, style: str) -> Text:
    """Return a bar of `width` cells."""
    filled = round(width * min(done, total) / total) if total else 0
    return Text.assemble(("█" * filled, style), ("░" * (width - filled), "dim"))


def in_ascii(line: Text) -> Text:
    """Return a line for a terminal that knows only ASCII, as long as it was."""
    plain = line.copy()
    plain.plain = line.plain.translate(_IN_ASCII).encode("ascii", "replace").decode()
    return plain
