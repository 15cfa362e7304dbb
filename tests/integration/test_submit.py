"""`bigred submit` with WARs that change, cost too much or are cut off, and with strange names."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import zips

from bigred_broker import program
from bigred_server.artifacts.files import digest_of
from bigred_server.settings import example

DEADLINE_S = 60.0
MIB = 1 << 20


@dataclass
class Office:
    """A folder with a configuration; no server runs."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "state" / "releases"

    @property
    def config(self) -> Path:
        return self.folder / "bigred.toml"

    def write(self, more: str = "") -> None:
        text = example().replace('"/var/lib/bigred"', f'"{self.folder / "state"}"', 1)
        (self.folder / "bigred.toml").write_text(
            text.replace("[server.wars]\n", f"[server.wars]\n{more}", 1)
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "bigred_server", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bigred(self, *arguments: str) -> tuple[int | None, str, str]:
        """Return the exit code and what was printed."""
        child = self.start(*arguments)
        try:
            out, err = child.communicate(timeout=DEADLINE_S)
        finally:
            child.kill()
        return child.returncode, out, err

    def ready(self) -> dict[str, str]:
        """Return the digests of all ready releases by version, each verified in the store."""
        code, out, err = self.bigred("release", "list", "--json")
        assert code == 0, err
        found = {one["version"]: one["digest"] for one in json.loads(out)}
        for digest in found.values():
            war = self.store / f"{digest}.war"
            assert digest_of(war) == digest
            with zipfile.ZipFile(war) as archive:
                assert archive.testzip() is None
        return found


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    made.write()
    return made


def test_a_war_that_is_replaced_while_it_is_submitted_is_refused_or_whole(office: Office) -> None:
    war, stopped = office.folder / "shop.war", threading.Event()
    whole = [zips.write_war(office.folder / f"{n}.war", {"a": os.urandom(2 * MIB)}) for n in "ab"]
    digests = {digest_of(each) for each in whole}
    torn = office.folder / "torn.war"
    torn.write_bytes(whole[0].read_bytes()[: 2 * MIB])
    shutil.copyfile(whole[0], war)

    def replace() -> None:
        number = 0
        while not stopped.is_set():
            new = office.folder / "new"
            shutil.copyfile((whole[0], torn, whole[1], torn)[number % 4], new)
            if number % 3:
                new.replace(war)
            else:
                shutil.copyfile(new, war)
            number += 1

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        children = [
            office.start("submit", "shop.war", "--app", "shop", "-V", f"1.{n}") for n in range(6)
        ]
        for child in children:
            try:
                _, err = child.communicate(timeout=DEADLINE_S)
            finally:
                child.kill()
            assert "Traceback" not in err
            assert child.returncode == 0 or err.startswith("bigred: ")
    finally:
        stopped.set()
        replacing.join(DEADLINE_S)
    assert set(office.ready().values()) <= digests
    assert {path.stem for path in office.store.iterdir()} <= digests


def test_a_bomb_costs_little_and_the_refusal_names_the_setting(office: Office) -> None:
    bomb = zips.write_bomb(office.folder / "bomb.war", 300 * MIB)
    code, _, err = office.bigred("submit", "bomb.war", "-V", "1.0")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("bigred: bomb.war: refused, it has ")
    assert "raise `ratio` in [server.wars]" in err
    assert list(office.store.iterdir()) == []
    office.write("ratio = 2000\n")
    assert office.bigred("submit", str(bomb), "-V", "1.0")[0] == 0


@pytest.mark.parametrize("version", ["-x", "--", "a/../b", "1 0", "\u202e1", "\udcff", "x" * 999])
def test_a_strange_version_is_refused_in_one_plain_line(office: Office, version: str) -> None:
    zips.write_war(office.folder / "shop.war")
    code, _, err = office.bigred("submit", "shop.war", f"--version={version}")
    assert code == 1
    assert err.startswith("bigred: ")
    assert "is not a version: use 1 to 100 of" in err
    assert err.removesuffix("\n").isprintable()
    assert not list(office.store.glob("*"))


@pytest.fixture
def slow_war(office: Office) -> Iterator[Path]:
    """Give a WAR whose check takes long enough to be interrupted."""
    path = office.folder / "slow.war"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("WEB-INF/web.xml", "<web-app/>")
        block = os.urandom(32768) * 64
        with archive.open("big", "w", force_zip64=True) as file:
            for _ in range(150):
                file.write(block)
    yield path
    path.unlink()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_submit_leaves_nothing_that_lasts(
    office: Office, slow_war: Path, by: signal.Signals
) -> None:
    child = office.start("submit", str(slow_war), "-V", "1.0")
    try:
        program.wait_until(
            lambda: bool(list(office.store.glob("*.part"))), DEADLINE_S, "it is copied"
        )
        child.send_signal(by)
        child.communicate(timeout=DEADLINE_S)
    finally:
        child.kill()
    left = list(office.store.iterdir())
    if by is signal.SIGINT:
        assert left == []
    else:
        assert [path.suffix for path in left] == [".part"]
        assert stat.S_IMODE(left[0].stat().st_mode) == 0o600
    assert office.ready() == {}


def test_a_server_closes_what_is_open_removes_what_is_left_and_says_so_once(
    office: Office,
) -> None:
    zips.write_war(office.folder / "shop.war")
    assert office.bigred("submit", "shop.war", "-V", "1.0")[0] == 0
    state = office.folder / "state"
    for path in (state, *state.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (office.store / "tmp1.part").touch()
    _, doctor, _ = office.bigred("doctor")
    assert f"warn: server: {state} is accessible to other users (mode 755), and " in doctor
    for number in range(2):
        log = office.folder / f"server-{number}.log"
        with program.running(
            "the server",
            [sys.executable, "-m", "bigred_server", "server", "-c", str(office.config)],
            log,
            lambda log=log: "the server is running" in log.read_text(),  # type: ignore[misc]
        ):
            lines = log.read_text().splitlines()
        assert sum("took away others' access" in line for line in lines) == (number == 0)
        assert sum("removed unfinished uploads" in line for line in lines) == (number == 0)
        assert {path for path in (state, *state.rglob("*")) if path.stat().st_mode & 0o077} == set()
    assert list(office.ready()) == ["1.0"]
