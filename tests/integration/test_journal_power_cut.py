"""After a power cut the journal holds all that was acknowledged, whatever else the disk has lost.

A writer runs under strace, which records what it does to its files. A disk is then rebuilt as it is
after a power cut at many moments: with nothing that was not synced, with any of it, with all.
BIGRED_POWER_CUTS: how many moments; by default few. BIGRED_POWER_RANDOM: begins the random choices.
"""

import os
import random
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tests.support.disk_after_cut import Disk
from tests.support.journal_facts import facts
from tests.support.recorded_writes import (
    Made,
    Removed,
    Step,
    Synced,
    Told,
    Written,
    hindrance,
    record,
)

from bigred_server.journal.database import Database

CUTS = int(os.environ.get("BIGRED_POWER_CUTS", "25"))
RANDOM = os.environ.get("BIGRED_POWER_RANDOM", "1")
# Of each of the four apps, twice; enough that the log is written back to the file, and begun anew.
DEPLOYMENTS = 15

pytestmark = [
    pytest.mark.skipif(bool(hindrance()), reason=f"nothing can be recorded: {hindrance()}"),
    pytest.mark.timeout(240 + CUTS),
]


@dataclass(frozen=True)
class Recorded:
    """The steps of a writer in a folder, and what they left there."""

    folder: Path
    steps: list[Step]
    left: dict[str, bytes]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("recorded").resolve()
    (folder / "disk").mkdir()
    journal = folder / "disk" / "state" / "bigred.db"
    writer = [sys.executable, "-m", "tests.support.acknowledging_writer"]
    steps = record(
        [*writer, str(journal), "0", str(DEPLOYMENTS)], folder / "disk", folder / "trace"
    )
    return Recorded(folder / "disk", steps, files(folder / "disk"))


def test_the_record_is_complete(recorded: Recorded, tmp_path: Path) -> None:
    disk = Disk(recorded.folder)
    disk.take(recorded.steps)
    disk.store(tmp_path / "disk", lambda: True)
    assert files(tmp_path / "disk") == recorded.left
    kinds = {type(step) for step in recorded.steps}
    assert {Made, Removed, Synced, Told, Written} <= kinds
    # The log was written back more than once while others wrote on, and again at the close.
    written_back = [
        one for one in recorded.steps if isinstance(one, Synced) and one.path.suffix == ".db"
    ]
    assert len(written_back) >= 3


async def test_no_acknowledged_press_act_or_event_is_missing_after_a_power_cut(
    recorded: Recorded, tmp_path: Path
) -> None:
    chance = random.Random(RANDOM)
    disk, taken, checked = Disk(recorded.folder), 0, 0
    for number, cut in enumerate(moments(recorded.steps, chance)):
        disk.take(recorded.steps[taken:cut])
        taken = cut
        shares = (0.0, 1.0, 0.5, chance.random())
        for kept, share in enumerate(shares):
            place = tmp_path / f"{number}-{kept}"
            disk.store(place, partial(keeps, chance, share))
            missing = disk.told - await found(place)
            assert missing == set(), f"step {cut}, {share:.0%} kept: {sorted(missing)[:5]}"
            shutil.rmtree(place)
            checked += len(disk.told)
    assert checked > CUTS


async def test_a_disk_that_lies_about_syncing_is_noticed(
    recorded: Recorded, tmp_path: Path
) -> None:
    """Without its last syncs a journal lacks what was acknowledged: this test can fail."""
    disk = Disk(recorded.folder)
    syncs = [number for number, one in enumerate(recorded.steps) if isinstance(one, Synced)]
    honest = syncs[-20]
    disk.take(recorded.steps[:honest])
    disk.take(one for one in recorded.steps[honest:] if not isinstance(one, Synced))
    disk.store(tmp_path / "disk", lambda: False)
    assert disk.told - await found(tmp_path / "disk")


def moments(steps: list[Step], chance: random.Random) -> list[int]:
    """Choose when the power fails: after an acknowledgment, around a sync, or at any step."""
    told = [number + 1 for number, one in enumerate(steps) if isinstance(one, Told)]
    around = [
        number + after
        for number, one in enumerate(steps)
        if isinstance(one, Synced | Removed)
        for after in (0, 1)
    ]
    chosen = [
        chance.choice(kind) for _ in range(CUTS) for kind in (told, around, range(len(steps) + 1))
    ]
    return sorted({*chosen, len(steps)})


def keeps(chance: random.Random, share: float) -> bool:
    """Return whether a sector or a name is on the disk that was not synced."""
    return chance.random() < share


async def found(disk: Path) -> frozenset[str]:
    """Open the journal of a disk as a server does; return the facts in it."""
    journal = disk / "state" / "bigred.db"
    if not journal.exists():
        return frozenset()
    db = await Database.open(journal)
    await db.close()
    return facts(journal)


def files(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder but for the index of a log, which is memory."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
