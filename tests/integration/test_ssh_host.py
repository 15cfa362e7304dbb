"""A host reached by a real sshd: whatever arrives there is complete, and nothing arrives late."""

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import time
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import sshd
from tests.support.disk import small_disk
from tests.support.sshd import Sshd
from tests.support.until import until
from tests.support.wire import Wire, wire

from bigred_server.artifacts.files import digest_of
from bigred_server.errors import NodeError
from bigred_server.model import disk_space
from bigred_server.settings import NodeSettings, SshSettings
from bigred_server.tomcat.host import Host
from bigred_server.tomcat.hosts import Hosts
from bigred_server.tomcat.ssh import SshHost

MIB = 1 << 20
DEADLINE_S = 10.0


@dataclass(frozen=True)
class Site:
    """A Tomcat's folders on the host of an sshd."""

    folder: Path
    sshd: Sshd
    pid: int

    @property
    def war(self) -> Path:
        return self.folder / "tomcat" / "webapps" / "shop.war"

    @property
    def kept(self) -> Path:
        return self.folder / "tomcat" / "bigred-releases" / "shop"

    def node(self, *, ssh: SshSettings | None = None, **more: object) -> NodeSettings:
        fields = {"url": "http://127.0.0.1:1", "reach": "ssh", "war": self.war, **more}
        return NodeSettings.model_validate({"ssh": ssh or self.sshd.settings, **fields})

    def local_node(self, **more: object) -> NodeSettings:
        return NodeSettings.model_validate({"url": "http://127.0.0.1:1", "war": self.war, **more})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = sshd.make(tmp_path / "sshd")
    (tmp_path / "tomcat" / "webapps").mkdir(parents=True)
    with made.start() as pid:
        yield Site(tmp_path, made, pid)


@contextlib.asynccontextmanager
async def reached(node: NodeSettings) -> AsyncIterator[Host]:
    host = Hosts().of(node)
    assert host is not None
    try:
        async with asyncio.timeout(60):
            yield host
    finally:
        await host.close()


@pytest.fixture
async def host(site: Site) -> AsyncIterator[Host]:
    async with reached(site.node()) as host:
        yield host


def make_war(path: Path, version: str = "1.0.0", size: int = 0) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("WEB-INF/ballast", os.urandom(size))
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nVersion: {version}\n")
    return digest_of(path)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_alive(pid_file: Path) -> bool:
    """Return whether the process that wrote its id into a file lives; a zombie does not."""
    try:
        pid = int(pid_file.read_text())
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return False


# --- releases ------------------------------------------------------------------------------------


async def test_a_release_is_uploaded_verified_put_in_place_and_seen(site: Site, host: Host) -> None:
    assert (await host.look(answers=True)).digest == ""
    old, new = make_war(site.war), make_war(site.folder / "new.war", "1.1.0", MIB)
    site.war.chmod(0o640)
    (site.war.parent / "shop" / "WEB-INF").mkdir(parents=True)
    seen = await host.look(answers=True)
    assert (seen.digest, seen.manifest["Version"]) == (old, "1.0.0")
    assert (seen.running, seen.kept, seen.problem) == (True, frozenset(), "")
    assert seen.free is not None
    assert seen.free == pytest.approx(shutil.disk_usage(site.folder).free, rel=0.2)
    assert "is kept" in await host.fetch(site.folder / "new.war", new, frozenset())
    assert (await host.look(answers=True)).kept == frozenset({new})
    assert new[:12] in await host.swap(new)
    seen = await host.look(answers=True)
    assert (seen.digest, seen.manifest["Version"], seen.problem) == (new, "1.1.0", "")
    assert names_in(site.war.parent) == ["shop.war"]
    assert stat.S_IMODE(site.war.stat().st_mode) == 0o640
    assert names_in(site.kept) == [f"{new}.war"]
    assert str(host.kept(new)) == f"{site.kept}/{new}.war"


async def test_finished_work_may_be_repeated(site: Site, host: Host) -> None:
    digest = make_war(site.folder / "new.war")
    await host.fetch(site.folder / "new.war", digest, frozenset())
    assert "already kept" in await host.fetch(site.folder / "new.war", digest, frozenset())
    for _ in range(2):
        await host.swap(digest)
    assert (await host.look(answers=True)).digest == digest


async def test_the_releases_to_keep_stay_and_others_are_removed(site: Site, host: Host) -> None:
    digests = [make_war(site.folder / f"{number}.war", str(number)) for number in range(3)]
    await host.fetch(site.folder / "0.war", digests[0], frozenset())
    await host.fetch(site.folder / "1.war", digests[1], frozenset(digests))
    (site.kept / "a-person's.war").touch()
    await host.fetch(site.folder / "2.war", digests[2], frozenset({digests[1]}))
    assert (await host.look(answers=True)).kept == frozenset(digests[1:])
    assert (site.kept / "a-person's.war").exists()


async def test_bytes_with_another_digest_are_neither_kept_nor_put_in_place(
    site: Site, host: Host
) -> None:
    old = make_war(site.war)
    new = make_war(site.folder / "new.war", "1.1.0")
    with pytest.raises(NodeError, match=f"has SHA-256 {new}, not 000"):
        await host.fetch(site.folder / "new.war", "0" * 64, frozenset())
    assert names_in(site.kept) == []
    with pytest.raises(NodeError, match="does not exist; fetch the release first"):
        await host.swap(new)
    await host.fetch(site.folder / "new.war", new, frozenset())
    (site.kept / f"{new}.war").write_bytes(b"rotten")
    with pytest.raises(NodeError, match="it was deleted, fetch it again"):
        await host.swap(new)
    seen = await host.look(answers=True)
    assert (seen.digest, seen.kept) == (old, frozenset())
    assert names_in(site.war.parent) == ["shop.war"]


async def test_an_unreadable_war_is_unknown_not_missing(site: Site, host: Host) -> None:
    site.war.mkdir()
    seen = await host.look(answers=True)
    assert seen.digest is None
    assert "can't be read" in seen.problem


async def test_a_damaged_war_in_place_has_a_digest_and_no_manifest(site: Site, host: Host) -> None:
    site.war.write_bytes(b"PK no zip")
    seen = await host.look(answers=True)
    assert (seen.digest, seen.manifest) == (digest_of(site.war), {})


async def test_folders_with_strange_names_are_handled(site: Site) -> None:
    folder = site.folder / 'it\'s $(id) "q" *'
    folder.mkdir()
    node = site.node(war=folder / "a b;$x.war", kept=site.folder / "kept here" / "{a,b}")
    digest = make_war(site.folder / "new.war")
    async with reached(node) as host:
        await host.fetch(site.folder / "new.war", digest, frozenset())
        await host.swap(digest)
        seen = await host.look(answers=True)
    assert (seen.digest, seen.kept) == (digest, frozenset({digest}))
    assert names_in(folder) == ["a b;$x.war"]


# --- a connection that breaks --------------------------------------------------------------------


@contextlib.asynccontextmanager
async def behind_a_wire(site: Site) -> AsyncIterator[tuple[Wire, Host]]:
    async with wire(site.sshd.port) as one:
        known = site.folder / "known_wires"
        key = (site.sshd.folder / "host.pub").read_text()
        known.write_text(f"[127.0.0.1]:{one.port} {key}")
        changed = {"port": one.port, "known_hosts": known}
        async with reached(site.node(ssh=site.sshd.settings.model_copy(update=changed))) as host:
            yield one, host


async def test_an_upload_cut_in_the_middle_leaves_the_war_alone_and_the_next_cleans_up(
    site: Site,
) -> None:
    old = make_war(site.war)
    new = make_war(site.folder / "new.war", "1.1.0", 8 * MIB)
    async with behind_a_wire(site) as (cable, host):
        await host.look(answers=True)
        cable.left = 4 * MIB
        with pytest.raises(
            NodeError, match=r"sending .* failed: .*; the next try deletes the partial upload"
        ):
            await host.fetch(site.folder / "new.war", new, frozenset())
        (left_behind,) = names_in(site.kept)
        assert left_behind.startswith(".")
        assert 0 < (site.kept / left_behind).stat().st_size < 8 * MIB
        cable.left = None
        seen = await host.look(answers=True)
        assert (seen.digest, seen.kept, seen.problem) == (old, frozenset(), "")
        await host.fetch(site.folder / "new.war", new, frozenset())
        assert names_in(site.kept) == [f"{new}.war"]


async def test_a_machine_that_dies_in_mid_upload_is_reached_again(site: Site, host: Host) -> None:
    new = make_war(site.folder / "new.war", "1.1.0", 64 * MIB)
    fetch = asyncio.create_task(host.fetch(site.folder / "new.war", new, frozenset()))

    def flows() -> bool:
        return any(path.stat().st_size > 0 for path in site.kept.glob(".*"))

    await until(flows, DEADLINE_S, "the upload flows")
    site.sshd.cut(site.pid)
    with pytest.raises(NodeError, match="failed"):
        await fetch
    await host.fetch(site.folder / "new.war", new, frozenset())
    assert names_in(site.kept) == [f"{new}.war"]


async def test_a_cancelled_fetch_is_cleaned_up_by_the_next(site: Site, host: Host) -> None:
    new = make_war(site.folder / "new.war", "1.1.0", 64 * MIB)
    fetch = asyncio.create_task(host.fetch(site.folder / "new.war", new, frozenset()))
    await until(lambda: any(site.kept.glob(".*")), DEADLINE_S, "the upload flows")
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    await host.fetch(site.folder / "new.war", new, frozenset())
    assert names_in(site.kept) == [f"{new}.war"]


async def test_an_absent_sshd_is_reported_and_found_again(tmp_path: Path) -> None:
    made = sshd.make(tmp_path / "sshd")
    site = Site(tmp_path, made, 0)
    site.war.parent.mkdir(parents=True)
    async with reached(site.node()) as host:
        for _ in range(2):
            with made.start():
                assert (await host.look(answers=True)).problem == ""
            assert (await host.look(answers=True)).problem != ""
            seen = await host.look(answers=True)
            assert (seen.digest, seen.running) == (None, True)
            assert "can't be reached" in seen.problem
            with pytest.raises(NodeError, match=r"can't be reached: .*; is sshd running"):
                await host.swap("0" * 64)


async def test_a_call_that_reaches_a_stalled_machine_too_late_is_not_done(site: Site) -> None:
    done = site.folder / "done"
    async with reached(site.node(stop=["touch", str(done)])) as host:
        await host.look(answers=True)  # from here on its clock is known
        connections = sshd.descendants(site.pid)
        for pid in connections:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(NodeError, match=r"did not finish within 1 s; whether it .* is unknown"):
            await host.stop(1)
        for pid in connections:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: not sshd.descendants(site.pid), DEADLINE_S, "the connection is gone")
        assert not done.exists()
        await host.look(answers=True)
        await host.stop(5)
        assert done.exists()


async def test_a_call_sent_too_late_is_not_done_and_the_next_is(site: Site) -> None:
    done = site.folder / "done"
    async with reached(site.node(stop=["touch", str(done)])) as host:
        await host.look(answers=True)
        assert isinstance(host, SshHost)
        host.connection.clock.set(
            int(time.time() - 60) * 1000
        )  # as if the call had been under way for a minute
        with pytest.raises(NodeError, match="this call came too late and was not run"):
            await host.stop(10)
        assert not done.exists()
        await host.stop(10)
        assert done.exists()


# --- authentication and host keys ----------------------------------------------------------------


async def node_error(site: Site, **changes: object) -> str:
    """Return a look's problem with other SSH settings; an action must report the same."""
    async with reached(site.node(ssh=site.sshd.settings.model_copy(update=changes))) as host:
        seen = await host.look(answers=False)
        assert (seen.digest, seen.running) == (None, None)
        with pytest.raises(NodeError) as caught:
            await host.swap("0" * 64)
        assert str(caught.value) == seen.problem
        return seen.problem


async def test_a_host_whose_key_has_changed_is_not_trusted(site: Site) -> None:
    other = sshd.make_key(site.folder / "other")
    known = site.folder / "known"
    known.write_text(f"[127.0.0.1]:{site.sshd.port} {other}")
    said = await node_error(site, known_hosts=known)
    assert "has another key than the one in" in said
    assert "the connection may be intercepted" in said


@pytest.mark.parametrize("text", ["", "example.org ssh-ed25519 AAAA\n"])
async def test_an_unknown_host_is_not_trusted(site: Site, text: str) -> None:
    known = site.folder / "known"
    key = sshd.make_key(site.folder / "other")
    known.write_text(text.replace("ssh-ed25519 AAAA", key))
    said = await node_error(site, known_hosts=known)
    assert f"is not in {known}; add the host key with" in said
    assert f"ssh-keyscan -p {site.sshd.port} 127.0.0.1 >> {known}" in said


async def test_without_known_hosts_no_host_is_trusted(site: Site) -> None:
    said = await node_error(site, known_hosts=site.folder / "none")
    assert "can't be read: No such file or directory; add the host key with" in said


async def test_a_rejected_key_is_named(site: Site) -> None:
    sshd.make_key(site.folder / "other")
    said = await node_error(site, key=site.folder / "other")
    assert f"does not accept the key {site.folder}/other for" in said


async def test_an_unusable_key_is_named(site: Site) -> None:
    assert "can't be read: No such file" in await node_error(site, key=site.folder / "none")
    (site.folder / "empty").touch()
    assert "must be a private key without a passphrase" in await node_error(
        site, key=site.folder / "empty"
    )
    sshd.make_key(site.folder / "locked", passphrase="locked")  # noqa: S106
    assert "must be a private key without a passphrase" in await node_error(
        site, key=site.folder / "locked"
    )


async def test_nodes_of_a_machine_share_one_connection_however_many_calls_they_make(
    site: Site,
) -> None:
    hosts = Hosts()
    both = [hosts.of(site.node()), hosts.of(site.node(war=site.war.with_name("blog.war")))]
    looks = [one.look(answers=True) for one in both * 15 if one]
    async with asyncio.timeout(60):
        seen = await asyncio.gather(*looks)
        assert [one.problem for one in seen] == [""] * 30
        assert (site.sshd.folder / "sshd.log").read_text().count("Accepted publickey") == 1
        # One node disconnects; the other carries on.
        assert both[0] is not None
        assert both[1] is not None
        await both[0].close()
        assert (await both[1].look(answers=True)).problem == ""
        await both[1].close()


async def test_a_host_with_no_free_channel_is_awaited(
    tmp_path: Path,
) -> None:
    # sshd counts a channel until it has seen the end of its command, a while after us.
    tight = sshd.make(tmp_path / "sshd", "MaxSessions 2\n")
    (tmp_path / "tomcat" / "webapps").mkdir(parents=True)
    with tight.start() as pid:
        async with reached(Site(tmp_path, tight, pid).node()) as host:
            seen = await asyncio.gather(*(host.look(answers=True) for _ in range(12)))
    assert [one.problem for one in seen] == [""] * 12
    assert (tight.folder / "sshd.log").read_text().count("Accepted publickey") == 1


async def test_the_output_of_a_login_script_is_no_answer(site: Site, host: Host) -> None:
    (site.sshd.folder / ".bashrc").write_text("echo stamp 1 2 3; echo Welcome\n")
    seen = await host.look(answers=True)
    assert (seen.digest, seen.problem) == ("", "")


# --- commands ------------------------------------------------------------------------------------


async def test_a_commands_arguments_arrive_unchanged(site: Site) -> None:
    words = ["a b", "$(id)", "`id`", 'it\'s "q"', "\\n", "*", "; exit 9", "", "ä\nö", "~", "-n"]
    node = site.node(stop=["sh", "-c", "printf '%s|' \"$@\"", "sh", *words])
    async with reached(node) as host:
        assert await host.stop(10) == "|".join(words) + "|"


async def test_a_failing_command_is_reported_with_the_end_of_its_output(site: Site) -> None:
    shout = ["sh", "-c", "seq 1 100000; echo no port >&2; exit 3"]
    async with reached(site.node(stop=shout, start=["/no/such"])) as host:
        with pytest.raises(NodeError, match=r"(?s)ended with 3: .*\n100000\nno port$") as caught:
            await host.stop(10)
        assert len(str(caught.value)) < 1000
        with pytest.raises(NodeError, match=r"ended with 127: .*/no/such.*No such file"):
            await host.start(10)


@pytest.mark.parametrize(
    ("command", "running"),
    [(["true"], True), (["false"], False), (["sh", "-c", "exit 3"], False), (["/no/such"], None)],
)
async def test_the_exit_code_says_whether_tomcat_runs(
    site: Site, command: list[str], running: bool | None
) -> None:
    async with reached(site.node(running=command)) as host:
        assert (await host.look(answers=False)).running is running


async def test_whether_tomcat_runs_is_unknown_when_its_command_hangs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.tomcat.ssh.RUNNING_DEADLINE_S", 1.0)
    async with reached(site.node(running=["sleep", "30"])) as host:
        seen = await host.look(answers=False)
    assert (seen.running, seen.digest, seen.problem) == (None, "", "")


async def test_a_hanging_command_ends_at_its_deadline_on_the_host_too(site: Site) -> None:
    pid = site.folder / "pid"
    hang = ["sh", "-c", f"sleep 300 & echo $! > {pid}; wait"]
    async with reached(site.node(stop=hang)) as host:
        await host.look(answers=True)  # connects
        begun = time.monotonic()
        with pytest.raises(NodeError, match=r"not finish within 4 s.*unknown"):
            await host.stop(4)
        assert time.monotonic() - begun < 10
        assert pid.exists()
        await until(lambda: not is_alive(pid), DEADLINE_S, "the command is gone")
        assert (await host.look(answers=True)).problem == ""
    assert (site.sshd.folder / "sshd.log").read_text().count("Accepted publickey") == 1


async def test_a_cancelled_command_ends_on_the_host(site: Site) -> None:
    pid = site.folder / "pid"
    hang = ["sh", "-c", f"sleep 300 & echo $! > {pid}; wait"]
    async with reached(site.node(stop=hang)) as host:
        await host.look(answers=True)  # connects
        stop = asyncio.create_task(host.stop(6))
        await until(lambda: is_alive(pid), DEADLINE_S, "the command runs")
        stop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stop
        await until(lambda: not is_alive(pid), DEADLINE_S, "the command is gone")


async def test_a_tomcat_in_the_background_blocks_nothing(site: Site) -> None:
    pid = site.folder / "pid"
    start = ["sh", "-c", f"sleep 300 & echo $! > {pid}; echo started"]
    async with reached(site.node(start=start)) as host:
        begun = time.monotonic()
        assert await host.start(20) == "started"
        assert time.monotonic() - begun < 10
        assert is_alive(pid)
        os.kill(int(pid.read_text()), signal.SIGKILL)


# --- full disks, there and here ------------------------------------------------------------------


@pytest.fixture(params=["ssh", "local"])
def reach(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def on_any_host(site: Site, reach: str, **more: object) -> NodeSettings:
    return site.node(ssh=None, **more) if reach == "ssh" else site.local_node(**more)


async def test_a_disk_without_space_is_refused_before_a_byte_is_sent(
    site: Site, reach: str
) -> None:
    new = make_war(site.folder / "new.war", "1.1.0", MIB)
    with small_disk(site.folder / "disk", 32 * MIB) as disk:
        async with reached(on_any_host(site, reach, kept=disk)) as host:
            assert (await host.look(answers=True)).free == 32 * MIB
            with pytest.raises(NodeError, match=r"has 32\.0 MiB free; 66\.0 MiB are needed"):
                await host.fetch(site.folder / "new.war", new, frozenset())
        assert names_in(disk) == []


async def test_a_disk_that_fills_in_mid_fetch_keeps_no_debris(
    site: Site, reach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "SPARE_BYTES", -(1 << 40))
    old = make_war(site.folder / "old.war")
    new = make_war(site.folder / "new.war", "1.1.0", 4 * MIB)
    with small_disk(site.folder / "disk", MIB) as disk:
        async with reached(on_any_host(site, reach, kept=disk)) as host:
            await host.fetch(site.folder / "old.war", old, frozenset())
            with pytest.raises(NodeError, match="check the disk") as caught:
                await host.fetch(site.folder / "new.war", new, frozenset({old}))
            assert "No space left" in str(caught.value) or "KiB are free" in str(caught.value)
            assert (await host.look(answers=True)).kept == frozenset({old})
        assert names_in(disk) == [f"{old}.war"]


async def test_a_disk_that_fills_in_mid_swap_leaves_the_old_war(site: Site, reach: str) -> None:
    new = make_war(site.folder / "new.war", "1.1.0", 2 * MIB)
    with small_disk(site.folder / "disk" / "webapps", 3 * MIB) as disk:
        old = make_war(disk / "shop.war", "1.0.0", MIB)
        (disk / "shop").mkdir()
        node = on_any_host(site, reach, war=disk / "shop.war")
        async with reached(node) as host:
            await host.fetch(site.folder / "new.war", new, frozenset())
            with pytest.raises(NodeError, match="No space left on device"):
                await host.swap(new)
            seen = await host.look(answers=True)
            assert (seen.digest, seen.manifest["Version"]) == (old, "1.0.0")
            assert seen.kept == frozenset({new})
            assert names_in(disk) == ["shop", "shop.war"]
