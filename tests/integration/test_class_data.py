"""The archive of Tomcat's classes: made once, used by the JVM, and never an obstacle to a start."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.demo.sample import build
from bigred_server.tomcat import class_data
from bigred_server.tomcat.instance import TomcatInstance

MISSING = Path("/proc/none")


@pytest.fixture(autouse=True)
def asked_for_the_first_time() -> Iterator[None]:
    class_data.option.cache_clear()
    yield
    class_data.option.cache_clear()


@contextmanager
def running(folder: Path, option: str) -> Iterator[TomcatInstance]:
    """Run a Tomcat with the shop."""
    tomcat = TomcatInstance(folder / "node", free_port(), class_data=option)
    tomcat.create()
    shutil.copy(build(folder, "1.0"), tomcat.webapps / "shop.war")
    subprocess.run(tomcat.start_command, timeout=20, check=True, capture_output=True)
    try:
        wait_until(lambda: is_listening(tomcat.port), 30, "it listens")
        assert httpx2.get(f"http://127.0.0.1:{tomcat.port}/shop/health").text == "open\n"
        yield tomcat
    finally:
        subprocess.run(tomcat.stop_command, timeout=20, check=True)


def maps(tomcat: TomcatInstance, archive: Path) -> bool:
    """Return whether the JVM has mapped the archive into its memory."""
    process = int((tomcat.base / "pid").read_text())
    return str(archive) in Path(f"/proc/{process}/maps").read_text()


def test_it_is_made_once_and_the_jvm_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    option = class_data.option()
    [archive] = (tmp_path / "cache" / "bigred").iterdir()
    assert option == f"-XX:SharedArchiveFile={archive}"
    made = archive.stat()
    class_data.option.cache_clear()
    assert class_data.option() == option
    assert archive.stat().st_mtime_ns == made.st_mtime_ns
    with running(tmp_path, option) as tomcat:
        assert maps(tomcat, archive)


def test_a_damaged_archive_does_not_keep_a_tomcat_from_starting(tmp_path: Path) -> None:
    damaged = tmp_path / "tomcat.jsa"
    damaged.write_bytes(b"no archive" * 1000)
    with running(tmp_path, f"-XX:SharedArchiveFile={damaged}") as tomcat:
        assert not maps(tomcat, damaged)


def test_a_missing_archive_does_not_keep_a_tomcat_from_starting(tmp_path: Path) -> None:
    with running(tmp_path, f"-XX:SharedArchiveFile={tmp_path / 'gone.jsa'}"):
        pass


@pytest.mark.parametrize("home", [Path("/no/tomcat"), None], ids=["no Tomcat", "no place"])
def test_if_no_archive_can_be_made_there_is_none(
    home: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(MISSING))
        assert class_data.option() == ""
    else:
        assert class_data.option(home) == ""
