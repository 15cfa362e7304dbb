"""A part that was missing at the start is no longer a problem once it is found."""

from pathlib import Path

from bigred_agent.doctor import record
from bigred_agent.doctor.checkup import Checkup
from bigred_agent.doctor.finding import PERMISSION, PRESENCE, SOUND_CARD, USB_LIBRARY, Finding

LIBRARY = Finding(USB_LIBRARY, "installed")
NO_BUTTON = Finding(PRESENCE, "no button is plugged in", "plug it in")
NO_SOUND = Finding(SOUND_CARD, "there is no sound card", "plug one in")
LIGHTS = Finding("lights", "no pins", "set [lights] enabled = false")


def problems(findings: object) -> list[str]:
    assert isinstance(findings, list)
    return [one.subject for one in findings if not one.is_ok]


def test_a_part_found_later_is_no_longer_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    checkup = Checkup([LIBRARY, NO_BUTTON, LIGHTS, NO_SOUND], file)
    assert problems(record.load(file)) == [PRESENCE, "lights", SOUND_CARD]
    checkup.button_found()
    assert problems(record.load(file)) == ["lights", SOUND_CARD]
    checkup.voice_found()
    assert problems(record.load(file)) == ["lights"]
    assert [one.subject for one in checkup.findings] == [
        USB_LIBRARY,
        PRESENCE,
        "lights",
        SOUND_CARD,
    ]


def test_findings_without_a_change_are_not_saved_again(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    checkup = Checkup([LIBRARY, Finding(PERMISSION, "this user may open it")], file)
    file.unlink()
    checkup.button_found()
    checkup.voice_found()
    assert not file.exists()


def test_a_file_that_can_no_longer_be_written_does_not_stop_the_box(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    checkup = Checkup([NO_BUTTON], folder / "findings.json")
    (folder / "findings.json").unlink()
    folder.rmdir()
    checkup.button_found()
    assert problems(list(checkup.findings)) == []


def test_a_file_that_can_t_be_written_does_not_prevent_the_start(tmp_path: Path) -> None:
    checkup = Checkup([NO_BUTTON], tmp_path / "none" / "findings.json")
    assert problems(list(checkup.findings)) == [PRESENCE]


def test_a_missing_file_has_no_findings(tmp_path: Path) -> None:
    assert record.load(tmp_path / "none.json") == []
