"""A disk after a power cut: what was synced is there, of the rest nothing, anything or everything.

It is as strict as POSIX allows: a file's name is on the disk only once its folder was synced.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.recorded_writes import Made, Removed, Resized, Step, Synced, Told, Written

_SECTOR = 512
Keeps = Callable[[], bool]


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, Written | Resized]] = field(default_factory=list)

    def sync(self, begun: int) -> None:
        for _, change in (one for one in self.waiting if one[0] < begun):
            _change(self.synced, change, _always)
        self.waiting = [one for one in self.waiting if one[0] >= begun]

    def store(self, path: Path, keeps: Keeps) -> None:
        data = bytearray(self.synced)
        for _, change in self.waiting:
            _change(data, change, keeps)
        path.write_bytes(data)


@dataclass
class _Folder:
    """`now`: by name, what the program sees. `waiting`: changes of the names."""

    now: dict[str, "_File | _Folder"] = field(default_factory=dict)
    synced: dict[str, "_File | _Folder"] = field(default_factory=dict)
    waiting: list[tuple[int, str]] = field(default_factory=list)
    made: dict[int, "_File | _Folder"] = field(default_factory=dict)

    def change(self, number: int, name: str, new: "_File | _Folder | None") -> None:
        self.waiting.append((number, name))
        if new is None:
            del self.now[name]
        else:
            self.now[name] = self.made[number] = new

    def sync(self, begun: int) -> None:
        self.synced = self._names(lambda number: number < begun)
        self.waiting = [one for one in self.waiting if one[0] >= begun]

    def store(self, path: Path, keeps: Keeps) -> None:
        path.mkdir()
        for name, one in self._names(lambda _number: keeps()).items():
            one.store(path / name, keeps)

    def _names(self, counts: Callable[[int], bool]) -> dict[str, "_File | _Folder"]:
        found = dict(self.synced)
        for number, name in self.waiting:
            if not counts(number):
                continue
            if number in self.made:
                found[name] = self.made[number]
            else:
                found.pop(name, None)
        return found


class Disk:
    """What is on the disk of a program in the course of its steps below a folder."""

    def __init__(self, folder: Path) -> None:
        self.told: set[str] = set()
        self._folder = folder
        self._root = _Folder()
        self._number = 0

    def take(self, steps: Iterable[Step]) -> None:
        """Take the next steps."""
        for step in steps:
            self._take(step)
            self._number += 1

    def store(self, path: Path, keeps: Keeps) -> None:
        """Write into a new folder what is there after a power cut now.

        `keeps`: asked for each sector and each name that was not synced.
        """
        self._root.store(path, keeps)

    def _take(self, step: Step) -> None:
        if isinstance(step, Told):
            self.told.add(step.line)
        elif isinstance(step, Synced):
            self._at(step.path).sync(step.begun)
        elif isinstance(step, Made | Removed):
            folder, name = self._at(step.path.parent), step.path.name
            assert isinstance(folder, _Folder)
            if isinstance(step, Removed):
                folder.change(self._number, name, None)
            elif name not in folder.now:
                new = _Folder() if step.is_folder else _File()
                folder.change(self._number, name, new)
        else:
            file = self._at(step.path)
            assert isinstance(file, _File)
            file.waiting.append((self._number, step))

    def _at(self, path: Path) -> "_File | _Folder":
        found: _File | _Folder = self._root
        for name in path.relative_to(self._folder).parts:
            assert isinstance(found, _Folder)
            found = found.now[name]
        return found


def _change(data: bytearray, change: Written | Resized, keeps: Keeps) -> None:
    """Apply those sectors of a change that are kept."""
    if isinstance(change, Resized):
        if keeps():
            _resize(data, change.size)
        return
    at, end = change.at, change.at + len(change.data)
    while at < end:
        ends = min(end, (at // _SECTOR + 1) * _SECTOR)
        if keeps():
            _resize(data, max(len(data), ends))
            data[at:ends] = change.data[at - change.at : ends - change.at]
        at = ends


def _resize(data: bytearray, size: int) -> None:
    del data[size:]
    data.extend(bytes(size - len(data)))


def _always() -> bool:
    return True
