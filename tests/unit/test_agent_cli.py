"""The commands: their messages, their exit codes, and never a traceback."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bigred_agent import build
from bigred_agent.buttons.dream_cheeky import DreamCheekyButton
from bigred_agent.cli import main
from bigred_agent.doctor import hardware, network, report, voice
from bigred_agent.doctor.finding import Finding
from bigred_agent.settings import AgentSettings, ButtonSettings, LightsSettings, VoiceSettings
from bigred_agent.testing.fake_usb import LID_OPEN, FakeUsb
from bigred_agent.voice import sound_card
from bigred_agent.voice.choice import EngineChoice
from bigred_agent.voice.sound_card import CardChoice
from bigred_broker.connection import Connection


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def test_init_writes_the_example_once(runner: CliRunner) -> None:
    first = runner.invoke(main, ["init"])
    assert first.exit_code == 0
    assert "bigred-agent run --config agent.toml" in first.output
    assert "[voice]" in Path("agent.toml").read_text()
    second = runner.invoke(main, ["init"])
    assert second.exit_code == 1
    assert "already exists and was not changed" in second.output


def test_init_into_a_missing_folder_fails_with_a_sentence(runner: CliRunner) -> None:
    result = runner.invoke(main, ["init", "nowhere/agent.toml"])
    assert result.exit_code == 1
    assert "can't be written" in result.output


@pytest.mark.parametrize("verb", [["run"], ["doctor"], ["say", "hi"]])
def test_an_invalid_file_is_reported_by_line_and_nothing_starts(
    runner: CliRunner, verb: list[str]
) -> None:
    Path("agent.toml").write_text("[box]\nnaem = 'red'\n")
    result = runner.invoke(main, [*verb, "--config", "agent.toml"])
    assert result.exit_code == 1
    assert "agent.toml:2: unknown key 'box.naem'; did you mean 'name'?" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--name", "Red Box"], "box.name"),
        (["--broker", "pi:red"], "not HOST:PORT"),
        (["--config", "missing.toml"], "can't be read"),
    ],
)
def test_invalid_flags_fail_with_a_sentence(
    runner: CliRunner, flags: list[str], sentence: str
) -> None:
    result = runner.invoke(main, ["run", *flags])
    assert result.exit_code == 1
    assert sentence in result.output


def test_say_without_a_sound_card_reports_what_is_missing(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_card, "choose", lambda _: CardChoice(problem=sound_card.NO_CARD))
    result = runner.invoke(main, ["say", "hello"])
    assert result.exit_code == 1
    assert "not spoken: there is no sound card" in result.output


def test_say_with_the_voice_switched_off_says_so(runner: CliRunner) -> None:
    Path("agent.toml").write_text('[voice]\nengine = "none"\n')
    result = runner.invoke(main, ["say", "hello", "-c", "agent.toml"])
    assert result.exit_code == 1
    assert "switched off" in result.output


# --- the doctor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("findings", [[Finding("a", "there")], [Finding("a", "gone", "buy one")]])
def test_the_doctor_exits_with_1_only_if_there_is_a_problem(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, findings: list[Finding]
) -> None:
    monkeypatch.setattr(report, "examine", lambda _: findings)
    ok = not findings[0].fix
    text = runner.invoke(main, ["doctor"])
    assert text.exit_code == (0 if ok else 1)
    assert ("All is well." if ok else "-> buy one") in text.output
    machine = runner.invoke(main, ["doctor", "--json"])
    assert machine.exit_code == text.exit_code
    assert json.loads(machine.output)["ok"] is ok


def rows(runner: CliRunner, *arguments: str) -> list[dict[str, str]]:
    findings: list[dict[str, str]] = json.loads(
        runner.invoke(main, ["doctor", "--json", *arguments]).output
    )["findings"]
    return findings


@pytest.fixture
def system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for /etc/bigred/agent.toml; the doctor finds a problem called as the box."""
    file = tmp_path / "etc" / "agent.toml"
    file.parent.mkdir()
    monkeypatch.setattr("bigred_agent.settings.SYSTEM_FILE", file)
    monkeypatch.setattr(report, "examine", lambda settings: [Finding(settings.box.name, "seen")])
    return file


def test_the_doctor_reads_the_file_in_this_folder_and_says_so(
    runner: CliRunner, system_file: Path
) -> None:
    system_file.write_text("[box]\nname = 'system'\n")
    Path("agent.toml").write_text("[box]\nname = 'local'\n")
    Path("other.toml").write_text("[box]\nname = 'other'\n")

    for arguments, file, box in [
        ([], Path("agent.toml").absolute(), "local"),
        (["--config", "other.toml"], Path("other.toml").absolute(), "other"),
    ]:
        read = rows(runner, *arguments)
        assert [row["subject"] for row in read] == ["configuration", box]
        assert read[0]["seen"] == str(file)
        text = runner.invoke(main, ["doctor", *arguments]).output
        assert text.startswith(f"ok   configuration  {file}\n")


def test_without_a_file_in_this_folder_the_doctor_reads_the_system_s(
    runner: CliRunner, system_file: Path
) -> None:
    system_file.write_text("[box]\nname = 'system'\n")
    read = rows(runner)
    assert (read[0]["seen"], read[1]["subject"]) == (str(system_file), "system")


def test_without_any_file_the_doctor_says_that_it_used_the_defaults(
    runner: CliRunner, system_file: Path
) -> None:
    read = rows(runner)
    assert read[0]["ok"]
    assert "neither ./agent.toml nor /etc/bigred/agent.toml exists" in read[0]["seen"]
    assert read[1]["subject"] == "box-1"


def test_a_file_that_this_user_may_not_see_is_reported_and_not_taken_for_absent(
    runner: CliRunner, system_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists

    def deny(path: Path, **_: object) -> bool:
        if path == system_file:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", deny)
    monkeypatch.setattr(Path, "read_text", deny)
    result = runner.invoke(main, ["doctor"])
    assert result.exit_code == 1
    assert result.output.startswith(f"bigred-agent: {system_file}: can't be read: ")
    assert "Permission denied" in result.output


@pytest.mark.parametrize("verb", ["run", "doctor", "say"])
def test_every_verb_reads_the_file_in_this_folder(
    runner: CliRunner, system_file: Path, verb: str
) -> None:
    Path("agent.toml").write_text("[box]\nnaem = 'red'\n")
    result = runner.invoke(main, [verb])
    assert result.exit_code == 1
    assert "agent.toml:2: unknown key 'box.naem'" in result.output


def usb(monkeypatch: pytest.MonkeyPatch, bus: FakeUsb) -> list[Finding]:
    button = DreamCheekyButton(backend=bus)
    monkeypatch.setattr(build, "make_button", lambda _: button)
    monkeypatch.setattr(hardware, "make_button", lambda _: button)
    return hardware.button(ButtonSettings())


def test_a_good_button_is_read_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = FakeUsb(level=LID_OPEN)
    findings = usb(monkeypatch, bus)
    assert all(finding.is_ok for finding in findings)
    assert findings[-1].seen == "the lid is open, the button is not pressed"
    assert bus.kernel_driver


@pytest.mark.parametrize(
    ("bus", "subject", "fix"),
    [
        (FakeUsb(plugged=False), "button", "plug it directly into the box"),
        (FakeUsb(permitted=False), "button permission", "add the udev rule"),
    ],
)
def test_a_button_that_can_t_be_used_is_reported_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, bus: FakeUsb, subject: str, fix: str
) -> None:
    last = usb(monkeypatch, bus)[-1]
    assert last.subject == subject
    assert fix in last.fix


def test_a_button_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = FakeUsb()
    bus.script.extend([b"\xff" * 8] * 10)
    assert usb(monkeypatch, bus)[-1].seen == "it does not answer"


@pytest.mark.parametrize(
    ("settings", "ok"),
    [
        (ButtonSettings(kind="simulated", keyboard=True), True),
        (ButtonSettings(kind="simulated", socket=Path("/tmp/b.sock")), True),  # noqa: S108
        (ButtonSettings(kind="simulated", socket=Path("/nowhere/b.sock")), False),
        (ButtonSettings(kind="simulated"), False),
    ],
)
def test_a_simulated_button_needs_something_that_controls_it(
    settings: ButtonSettings, ok: bool
) -> None:
    assert hardware.button(settings)[0].is_ok is ok


def test_a_disabled_part_is_not_a_problem() -> None:
    assert hardware.lights(LightsSettings(enabled=False)).is_ok
    assert voice.voice(VoiceSettings(engine=EngineChoice.NONE)) == [
        Finding("voice", "switched off in the configuration")
    ]


def test_a_missing_sound_card_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "choose", lambda _: CardChoice(problem=sound_card.NO_CARD))
    assert not voice.voice(VoiceSettings(engine=EngineChoice.ESPEAK))[0].is_ok


def test_an_unreachable_broker_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(Connection, "open", refuse)
    findings = asyncio.run(network.network(AgentSettings().broker, "box-1"))
    assert [finding.subject for finding in findings] == ["broker"]
    assert "start the broker at 127.0.0.1:1883" in findings[0].fix
