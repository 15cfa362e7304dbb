"""What the doctor makes of the machine: disks, clocks, secrets, known hosts and commands."""

from pathlib import Path

import pytest

from bigred_server.doctor import site
from bigred_server.doctor.finding import Level
from bigred_server.settings.node import NodeSettings, SshSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.mark.parametrize(
    ("theirs", "level"),
    [
        (None, Level.UNKNOWN),
        (100.0, Level.OK),
        (99.0, Level.OK),
        (97.2, Level.OK),
        (96.0, Level.WARN),
        (103.0, Level.OK),
        (104.5, Level.WARN),
        (30.0, Level.BAD),
        (400.0, Level.BAD),
    ],
)
def test_clocks_are_compared_within_what_a_date_in_seconds_tells(
    theirs: float | None, level: Level
) -> None:
    assert site.clock("n", theirs, 100.0, 101.0).level is level


@pytest.mark.parametrize(
    ("content", "mode", "level"),
    [
        ("s3cret\n", 0o600, Level.OK),
        ("s3cret\n", 0o400, Level.OK),
        ("s3cret\n", 0o640, Level.WARN),
        ("s3cret\n", 0o644, Level.WARN),
        ("\n", 0o600, Level.BAD),
        (None, 0, Level.BAD),
    ],
)
def test_secrets_are_ours_alone(
    tmp_path: Path, content: str | None, mode: int, level: Level
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    found = site.secret("n", file)
    assert found.level is level
    assert "s3cret" not in found.text + found.mend


@pytest.mark.parametrize(
    ("known", "port", "level"),
    [
        (f"app1 {KEY}\n", 22, Level.OK),
        (f"app1 {KEY}\n", 2222, Level.OK),  # as asyncssh itself has it
        (f"app2 {KEY}\n", 2222, Level.BAD),
        (f"[app1]:2222 {KEY}\n", 2222, Level.OK),
        (f"app2 {KEY}\n", 22, Level.BAD),
        ("", 22, Level.BAD),
        (None, 22, Level.BAD),
    ],
)
def test_a_hosts_key_must_be_known(
    tmp_path: Path, known: str | None, port: int, level: Level
) -> None:
    file = tmp_path / "known_hosts"
    if known is not None:
        file.write_text(known)
    found = site.known_host("n", SshSettings(host="app1", port=port, known_hosts=file))
    assert found.level is level
    if level is Level.BAD:
        assert found.mend.startswith(
            "ssh-keyscan -p 2222 app1" if port != 22 else "ssh-keyscan app1"
        )


@pytest.mark.parametrize(
    ("size", "copies", "level"),
    [(1, 5, Level.OK), (10**15, 5, Level.BAD), (1_000_000, 10**9, Level.WARN)],
)
def test_the_disk_must_hold_the_releases(
    tmp_path: Path, size: int, copies: int, level: Level
) -> None:
    assert site.room("n", tmp_path / "not" / "yet", size, copies).level is level


def test_the_folder_of_the_war_must_be_there(tmp_path: Path) -> None:
    found = site.webapps("n", tmp_path / "webapps" / "shop.war")
    assert (found.level, found.mend) == (Level.BAD, "set `war` to where Tomcat finds it")
    (tmp_path / "webapps").mkdir()
    assert site.webapps("n", tmp_path / "webapps" / "shop.war").level is Level.OK


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    node = NodeSettings(
        url="http://127.0.0.1:1",
        war=tmp_path / "webapps" / "shop.war",
        stop=("true",),
        start=("no-such-program", "start"),
    )
    (found,) = site.commands("n", node)
    assert (found.level, found.text) == (Level.BAD, "there is no program no-such-program")
