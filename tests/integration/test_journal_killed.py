"""A journal whose writer is killed loses nothing acknowledged; bench/press.py kills 100 of them."""

from pathlib import Path

import pytest
from tests.support.killed_writer import missing_after_kills


@pytest.mark.timeout(120)
def test_no_acknowledged_write_is_missing_when_the_writer_is_killed(tmp_path: Path) -> None:
    missing, written = missing_after_kills(tmp_path / "journal", 3)
    assert written >= 1 + 2 + 3
    assert missing == 0
