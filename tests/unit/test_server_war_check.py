"""A WAR is checked to the last byte, and never costs more than the limits allow."""

import asyncio
import io
import os
import struct
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import zips

from bigred_server.artifacts import war_check
from bigred_server.artifacts.interruptible import Checkpoint, in_thread
from bigred_server.artifacts.store import Store
from bigred_server.errors import ReleaseError
from bigred_server.model.war_limits import MIB, WarLimits

LIMITS = WarLimits()


def refusal(path: Path, limits: WarLimits = LIMITS) -> str:
    with pytest.raises(ReleaseError) as refused:
        war_check.check(path, limits)
    return str(refused.value).removeprefix(f"{path}: ")


# --- limits --------------------------------------------------------------------------------------


def test_a_bomb_is_refused_while_it_is_read(tmp_path: Path) -> None:
    bomb = zips.write_bomb(tmp_path / "x.war", 512 * MIB)
    assert bomb.stat().st_size < MIB
    begun_s = time.process_time()
    said = refusal(bomb)
    assert time.process_time() - begun_s < 5.0
    assert said.startswith("refused, it has ")
    assert " KiB and unpacks to more than " in said
    assert said.endswith(
        " MiB, over 200 times as much; "
        "if WARs may be packed so tightly, raise `ratio` in [server.wars]"
    )


def test_what_a_war_unpacks_to_is_limited(tmp_path: Path) -> None:
    war = zips.write_bomb(tmp_path / "x.war", 60 * MIB)
    war_check.check(war, LIMITS)
    assert refusal(war, WarLimits(unpacked_mib=59)) == (
        "refused, it unpacks to more than 59 MiB; "
        "if WARs may unpack to more, raise `unpacked_mib` in [server.wars]"
    )


def test_the_number_of_entries_is_limited(tmp_path: Path) -> None:
    war = zips.write_war(tmp_path / "x.war", {f"WEB-INF/{n}": b"" for n in range(100)})
    war_check.check(war, WarLimits(entries=102))
    assert refusal(war, WarLimits(entries=101)) == (
        "refused, it has more than 101 entries; "
        "if WARs may have more, raise `entries` in [server.wars]"
    )


def test_an_endless_directory_is_not_read_to_its_end(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *(0,) * 9, 1, *(0,) * 6) + b"a"
    directory = entry * 400_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0, 400_000 % 65_536, len(directory), 0, 0)
    (tmp_path / "x.war").write_bytes(directory + end)
    begun_s = time.process_time()
    assert refusal(tmp_path / "x.war").startswith("refused, it has more than 100000 entries")
    assert time.process_time() - begun_s < 5.0


def test_the_time_of_a_check_is_limited(tmp_path: Path) -> None:
    war = zips.write_war(tmp_path / "x.war")
    assert refusal(war, WarLimits.model_construct(check_s=0.0)) == (
        "refused, it could not be checked within 0 s; "
        "if the check may take longer, raise `check_s` in [server.wars]"
    )


def test_the_size_of_a_file_is_limited_and_no_more_is_copied(tmp_path: Path) -> None:
    source, store = tmp_path / "x.war", Store(tmp_path / "releases", WarLimits(file_mib=1))
    source.write_bytes(bytes(3 * MIB))
    with pytest.raises(ReleaseError) as refused:
        store.put(source, lambda a, b: war_check.take(a, b, store.limits))
    assert str(refused.value) == (
        f"{source}: refused, it has more than 1 MiB; "
        "if WARs may be larger, raise `file_mib` in [server.wars]"
    )
    assert list(store.folder.iterdir()) == []


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    war = zips.write_overlapping(tmp_path / "x.war", 200, 8 * MIB)
    assert war.stat().st_size < MIB
    with zipfile.ZipFile(war) as archive:
        assert sum(info.file_size for info in archive.infolist()) > 1600 * MIB
        assert len(archive.read("WEB-INF/00197")) > 8 * MIB
    said = refusal(war)
    assert said.endswith("WEB-INF/00000 in it is damaged: it overlaps what comes after it")


# --- entries -------------------------------------------------------------------------------------


def named(new: bytes) -> Callable[[Path], Path]:
    """Return what gives an entry another name."""

    def write(path: Path) -> Path:
        old = b"n" * len(new)
        return zips.renamed(zips.write_war(path, {old.decode(): b"x"}), old, new)

    return write


def flagged(path: Path) -> Path:
    data = bytearray(zips.write_war(path).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    return path


def lying(by: int) -> Callable[[Path], Path]:
    """Return what makes the directory lie about the unpacked size of the first entry."""

    def write(path: Path) -> Path:
        data = bytearray(zips.write_war(path).read_bytes())
        at = data.index(b"PK\1\2") + 24
        (size,) = struct.unpack_from("<L", data, at)
        struct.pack_into("<L", data, at, size + by)
        path.write_bytes(data)
        return path

    return write


def with_two_directories(path: Path) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("WEB-INF/other.xml", "other")
    with zipfile.ZipFile(zips.write_war(path), "a") as archive:
        archive.comment = inner.getvalue()
    return path


def without_web_inf(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.html", "")
        archive.writestr("web-inf/web.xml", "")
        archive.writestr("WEB-INF", "a file")
    return path


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (without_web_inf, "not a WAR, it has no folder WEB-INF; name the WAR that was built"),
        (named(b"../up"), "'../up' in it has '..' in its path"),
        (named(b"a/../../b"), "'a/../../b' in it has '..' in its path"),
        (named(b"a/.."), "has '..' in its path"),
        (named(b"/etc/cron"), "'/etc/cron' in it has an absolute path"),
        (named(b"a\\b"), "in it has a backslash in its name"),
        (named(b"C:x"), "'C:x' in it has a drive letter in its name"),
        (named(b"a\0.jsp"), "'a\\x00.jsp' in it has a control character in its name"),
        (named(b"a\nb"), "has a control character in its name"),
        (named(b"a\xc2\x85b"), "'a\\x85b' in it has a control character in its name"),
        (named(b"a\xff"), "has a name that is not UTF-8"),
        (named(b"./WEB-INF//web.xml"), "'./WEB-INF//web.xml' is in it twice"),
        (named(b"n" * 1025), "has a name of more than 1024 bytes"),
        (zips.write_link, "'WEB-INF/passwords' in it is a symbolic link"),
        (flagged, "'META-INF/MANIFEST.MF' in it is encrypted"),
        (lying(1), "META-INF/MANIFEST.MF in it is damaged: it has fewer bytes than the 23"),
        (lying(-1), "META-INF/MANIFEST.MF in it is damaged: it has more bytes than the 21"),
        (with_two_directories, "not a WAR, can't read it as a zip: it has two directories"),
    ],
)
def test_what_tomcat_could_not_unpack_safely_is_refused(
    tmp_path: Path, write: Callable[[Path], Path], words: str
) -> None:
    said = refusal(write(tmp_path / "x.war"))
    assert words in said
    assert said.startswith(("not a WAR, ", "not a valid WAR, "))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"WEB-INF/": b"", "WEB-INF/classes/": b"", "..a/b..": b"", "...": b""},
        {"größe.html": b"x" * 5000, "emoji \U0001f680.png": os.urandom(300_000)},
        {"zeros": bytes(MIB), "ab:c": b"", "Web-Inf/web.xml": b""},
    ],
)
def test_what_tomcat_can_unpack_is_accepted(tmp_path: Path, more: dict[str, bytes]) -> None:
    war = zips.write_war(tmp_path / "x.war", more)
    war_check.check(war, LIMITS)
    # Programs put a script in front, and comments behind.
    with zipfile.ZipFile(war, "a") as archive:
        archive.comment = b"built by hand"
    war_check.check(war, LIMITS)
    war.write_bytes(b"#!/bin/sh\nexec java -jar $0\n" + war.read_bytes())
    war_check.check(war, LIMITS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_only_a_folder_may_be_there_twice(tmp_path: Path) -> None:
    war = zips.write_war(tmp_path / "x.war", {"WEB-INF/": b""})
    with zipfile.ZipFile(war, "a") as archive:
        archive.writestr("WEB-INF/", "")
    war_check.check(war, LIMITS)
    with zipfile.ZipFile(war, "a") as archive:
        archive.writestr("WEB-INF/web.xml", "another")
    assert refusal(war) == "not a valid WAR, 'WEB-INF/web.xml' is in it twice"


def test_a_war_of_many_entries_with_64_bit_fields_is_accepted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.war", "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"WEB-INF/{number}"), b"")
        with archive.open("streamed", "w", force_zip64=True) as file:
            file.write(b"x")
    war_check.check(tmp_path / "x.war", LIMITS)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_whatever_is_accepted_is_read_alike_by_python(data: st.DataObject) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**zips.SOUND, "WEB-INF/a": b"hello" * 99}.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    harmed = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        harmed[data.draw(st.integers(0, len(harmed) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.NamedTemporaryFile() as file:
        file.write(harmed)
        file.flush()
        try:
            war_check.check(Path(file.name), LIMITS)
        except ReleaseError:
            return
        with zipfile.ZipFile(file.name) as archive:
            assert archive.testzip() is None


# --- copying -------------------------------------------------------------------------------------


async def test_a_cancelled_copy_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    source, store = zips.write_bomb(tmp_path / "x.war", 60 * MIB), Store(tmp_path / "releases")
    begun, gate = threading.Event(), threading.Event()

    def put(checkpoint: Checkpoint) -> str:
        def pause() -> None:
            begun.set()
            gate.wait(10.0)
            checkpoint()

        return store.put(source, lambda a, b: war_check.take(a, b, store.limits, pause))

    task = asyncio.create_task(in_thread(put))
    assert await asyncio.to_thread(begun.wait, 10.0)
    assert len(list(store.folder.iterdir())) == 1
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10.0)
    assert list(store.folder.iterdir()) == []


def test_a_pipe_or_a_device_is_no_war_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.war")
    store = Store(tmp_path / "releases")
    for path in (tmp_path / "x.war", Path("/dev/zero")):
        with pytest.raises(ReleaseError, match=r"could not be stored .* it is not a file"):
            store.put(path)
    assert list(store.folder.iterdir()) == []


def test_a_war_that_is_replaced_while_it_is_copied_is_whole(tmp_path: Path) -> None:
    old, new = zips.write_war(tmp_path / "x.war", {"a": b"old"}), tmp_path / "new.war"
    zips.write_war(new, {"a": b"new"})
    before = old.read_bytes()

    def replace() -> None:
        if new.exists():
            new.replace(old)

    store = Store(tmp_path / "releases")
    digest = store.put(old, lambda a, b: war_check.take(a, b, store.limits, replace))
    assert store.get(digest).read_bytes() == before
    assert old.read_bytes() != before


def test_a_war_that_is_written_to_while_it_is_copied_is_refused(tmp_path: Path) -> None:
    war = zips.write_war(tmp_path / "x.war", {"a": os.urandom(3 * MIB)})

    def write() -> None:
        with war.open("r+b") as file:
            file.truncate(war.stat().st_size + 1)

    store = Store(tmp_path / "releases")
    with pytest.raises(ReleaseError, match="it was written to while it was copied"):
        store.put(war, lambda a, b: war_check.take(a, b, store.limits, write))
    assert list(store.folder.iterdir()) == []


def test_what_a_killed_upload_left_is_swept_unless_one_is_in_progress(tmp_path: Path) -> None:
    store = Store(tmp_path / "releases")
    digest = store.put(zips.write_war(tmp_path / "x.war"))
    left = store.folder / "tmp123.part"
    left.touch()
    with store.part() as part:
        assert store.sweep() == []
        assert part.exists()
    assert store.sweep() == [left]
    assert list(store.folder.iterdir()) == [store.path(digest)]
