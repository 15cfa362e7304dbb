"""What the doctor missed at the start is not said to be missing once it has come."""

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


def test_what_has_come_is_well_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
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


def test_what_was_well_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "findings.json"
    checkup = Checkup([LIBRARY, Finding(PERMISSION, "this user may open it")], file)
    file.unlink()
    checkup.button_found()
    checkup.voice_found()
    assert not file.exists()


def test_a_file_that_can_t_be_written_any_more_keeps_nobody_from_going_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    checkup = Checkup([NO_BUTTON], folder / "findings.json")
    (folder / "findings.json").unlink()
    folder.rmdir()
    checkup.button_found()
    assert problems(list(checkup.findings)) == []


def test_a_file_that_can_t_be_written_keeps_no_box_from_starting(tmp_path: Path) -> None:
    checkup = Checkup([NO_BUTTON], tmp_path / "none" / "findings.json")
    assert problems(list(checkup.findings)) == [PRESENCE]


def test_no_file_is_no_finding(tmp_path: Path) -> None:
    assert record.load(tmp_path / "none.json") == []
