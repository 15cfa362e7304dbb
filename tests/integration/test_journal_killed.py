"""A journal whose writer is killed loses nothing acknowledged: no press, act or event.

BIGRED_KILLS: how many writers are killed, one after another on the same journal.
"""

import os
from pathlib import Path

import pytest
from tests.support.killed_writer import missing_after_kills

KILLS = int(os.environ.get("BIGRED_KILLS", "3"))


@pytest.mark.timeout(120 + 10 * KILLS)
def test_nothing_acknowledged_is_missing_when_the_writer_is_killed(tmp_path: Path) -> None:
    missing, acknowledged = missing_after_kills(tmp_path / "journal", KILLS)
    assert len(acknowledged) >= KILLS
    assert missing == frozenset()
