"""HAProxy's own tables as rows of text: `show info`, `show stat` and `show servers state`. Pure.

Columns are found by their names because every version of HAProxy adds some.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Process:
    """A HAProxy process. In containers all may have the same `pid`; `since` distinguishes them."""

    pid: int
    since: str
    version: str


@dataclass(frozen=True)
class Table:
    """A table of servers, found by backend and name. Only rows that are asked for become mappings.

    `columns`: their names. `cells`: of each row. `names`: of the servers of each backend.
    """

    columns: Sequence[str]
    cells: Mapping[tuple[str, str], Sequence[str]]
    names: Mapping[str, Sequence[str]]
    _rows: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    def has(self, backend: str, name: str) -> bool:
        """Return whether there is a row."""
        return (backend, name) in self.cells

    def row(self, backend: str, name: str) -> Mapping[str, str]:
        """Return a row. Raise KeyError if there is none."""
        if (backend, name) not in self._rows:
            cells = self.cells[backend, name]
            self._rows[backend, name] = dict(zip(self.columns, cells, strict=False))
        return self._rows[backend, name]

    def column(self, name: str) -> Mapping[tuple[str, str], str]:
        """Return one cell of each row, nothing if the table lacks the column."""
        if name not in self.columns:
            return {}
        place = self.columns.index(name)
        return {key: cells[place] for key, cells in self.cells.items() if place < len(cells)}


def process(info: str) -> Process:
    """Read `show info`. Raise KeyError or ValueError on anything else."""
    fields = {name: value.strip() for name, _, value in map(_split, info.splitlines())}
    return Process(int(fields["Pid"]), fields.get("Start_time_sec", ""), fields["Version"])


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def stat(answer: str) -> list[Mapping[str, str]]:
    """Read the CSV of `show stat`."""
    return list(csv.DictReader(answer.lstrip("# ").splitlines(), restval=""))


def server_states(answer: str) -> list[Mapping[str, str]]:
    """Read the table of `show servers state`: a version, a line of names, then the servers."""
    lines = [line for line in answer.splitlines() if line.strip()]
    names = next((line for line in lines if line.startswith("#")), "#")[1:].split()
    return [
        dict(zip(names, line.split(), strict=False))
        for line in lines
        if not line.startswith("#") and len(line.split()) > 1
    ]


def stat_table(answer: str) -> Table:
    """Read `show stat`. Raise ValueError if it is empty or names no servers."""
    names, *rows = csv.reader(answer.lstrip("# ").splitlines())
    whole = ([*row, *("" for _ in names[len(row) :])] for row in rows if row)
    return _table(names, whole, "pxname", "svname")


def state_table(answer: str) -> Table:
    """Read `show servers state`; leave out rows that show no state."""
    lines = [line.split() for line in answer.splitlines()]
    names = next((line for line in lines if line and line[0].startswith("#")), ["#"])
    names = [name for name in (names[0][1:], *names[1:]) if name]
    place = names.index("srv_admin_state") if "srv_admin_state" in names else len(answer)
    rows = (line for line in lines if len(line) > place and not line[0].startswith("#"))
    return _table(names, rows, "be_name", "srv_name")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], first: str, then: str) -> Table:
    cells: dict[tuple[str, str], Sequence[str]] = {}
    names: dict[str, list[str]] = {}
    for row in rows:
        backend, name = row[columns.index(first)], row[columns.index(then)]
        cells[backend, name] = row
        names.setdefault(backend, []).append(name)
    return Table(columns, cells, names)


def number(text: str) -> int:
    """Read a count; an empty or unknown one is 0."""
    return int(text) if text.strip().isdigit() else 0
