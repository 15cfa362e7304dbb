"""What the doctor finds on the machine: disks, clocks, secrets, known hosts and commands."""

import resource
import socket
from pathlib import Path

import pytest

from bigred_server.doctor import site
from bigred_server.doctor.finding import Severity
from bigred_server.settings.node import NodeSettings, SshSettings

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


@pytest.mark.parametrize(
    ("theirs", "level"),
    [
        (None, Severity.UNKNOWN),
        (100.0, Severity.OK),
        (99.0, Severity.OK),
        (97.2, Severity.OK),
        (96.0, Severity.WARN),
        (103.0, Severity.OK),
        (104.5, Severity.WARN),
        (30.0, Severity.BAD),
        (400.0, Severity.BAD),
    ],
)
def test_clocks_are_compared_to_the_whole_second_of_a_date(
    theirs: float | None, level: Severity
) -> None:
    assert site.clock("n", theirs, 100.0, 101.0).level is level


@pytest.mark.parametrize(
    ("content", "mode", "level"),
    [
        ("s3cret\n", 0o600, Severity.OK),
        ("s3cret\n", 0o400, Severity.OK),
        ("s3cret\n", 0o640, Severity.WARN),
        ("s3cret\n", 0o644, Severity.WARN),
        ("\n", 0o600, Severity.BAD),
        (None, 0, Severity.BAD),
    ],
)
def test_secrets_are_readable_only_by_us(
    tmp_path: Path, content: str | None, mode: int, level: Severity
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    found = site.secret("n", file)
    assert found.level is level
    assert "s3cret" not in found.text + found.fix


@pytest.mark.parametrize(
    ("known", "port", "level"),
    [
        (f"app1 {KEY}\n", 22, Severity.OK),
        (f"app1 {KEY}\n", 2222, Severity.OK),  # as asyncssh itself writes it
        (f"app2 {KEY}\n", 2222, Severity.BAD),
        (f"[app1]:2222 {KEY}\n", 2222, Severity.OK),
        (f"app2 {KEY}\n", 22, Severity.BAD),
        ("", 22, Severity.BAD),
        (None, 22, Severity.BAD),
    ],
)
def test_a_hosts_key_must_be_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known: str | None,
    port: int,
    level: Severity,
) -> None:
    def no_such_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    file = tmp_path / "known_hosts"
    if known is not None:
        file.write_text(known)
    found = site.known_host("n", SshSettings(host="app1", port=port, known_hosts=file))
    assert found.level is level
    if level is Severity.BAD:
        assert found.fix.startswith(
            "ssh-keyscan -p 2222 app1" if port != 22 else "ssh-keyscan app1"
        )


@pytest.mark.parametrize(
    ("size", "copies", "level"),
    [(1, 5, Severity.OK), (10**15, 5, Severity.BAD), (1_000_000, 10**9, Severity.WARN)],
)
def test_the_disk_must_hold_the_releases(
    tmp_path: Path, size: int, copies: int, level: Severity
) -> None:
    assert site.disk_space("n", tmp_path / "not" / "yet", size, copies).level is level


@pytest.mark.parametrize(("theirs", "side"), [(30.0, "70 s behind"), (400.0, "299 s ahead of")])
def test_a_wrong_clock_is_reported_as_fast_or_slow(theirs: float, side: str) -> None:
    assert site.clock("n", theirs, 101.0, 101.0).text == f"its clock is {side} the server's"


def test_the_folder_of_the_war_must_exist(tmp_path: Path) -> None:
    found = site.webapps("n", tmp_path / "webapps" / "shop.war")
    assert (found.level, found.text) == (
        Severity.BAD,
        f"the folder {tmp_path}/webapps does not exist",
    )
    (tmp_path / "webapps").mkdir()
    assert site.webapps("n", tmp_path / "webapps" / "shop.war").level is Severity.OK


def test_a_command_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    node = NodeSettings(
        url="http://127.0.0.1:1",
        war=tmp_path / "webapps" / "shop.war",
        stop=("true",),
        start=("no-such-program", "start"),
    )
    (found,) = site.commands("n", node)
    assert (found.level, found.text) == (Severity.BAD, "the program no-such-program does not exist")


@pytest.mark.parametrize(
    ("stop", "level"),
    [
        (("sh", "/usr/share/tomcat10/bin/catalina.sh", "stop", "-force"), Severity.WARN),
        (("sh", "/usr/share/tomcat10/bin/shutdown.sh", "20", "-force"), Severity.WARN),
        (("sh", "/usr/share/tomcat10/bin/catalina.sh", "stop"), Severity.OK),
        (("sh", "/usr/local/bin/stop-tomcat", "-force"), Severity.OK),
    ],
)
def test_a_forced_stop_of_debians_tomcat_is_reported(
    stop: tuple[str, ...], level: Severity
) -> None:
    node = NodeSettings(url="http://127.0.0.1:1", war=Path("/srv/webapps/shop.war"), stop=stop)
    (found,) = site.commands("n", node)
    assert (found.code, found.level) == ("command", level)


@pytest.mark.parametrize(("hard", "level"), [(300, Severity.WARN), (1024, Severity.OK)])
def test_too_few_files_for_the_connections_of_the_api_are_reported(
    hard: int, level: Severity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    found = site.files_for_api("server", 200)
    assert found.level is level
    assert ("LimitNOFILE=400" in found.fix) is (level is Severity.WARN)
