"""HAProxy's own tables as rows of text: `show info`, `show stat` and `show servers state`. Pure.

Columns are found by their names because every version of HAProxy adds some.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A HAProxy process. In containers all may have the same `pid`; `since` distinguishes them."""

    pid: int
    since: str
    version: str


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


def number(text: str) -> int:
    """Read a count; an empty or unknown one is 0."""
    return int(text) if text.strip().isdigit() else 0
