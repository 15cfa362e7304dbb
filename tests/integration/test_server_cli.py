"""What `bigred` prints when something is wrong: one sentence with the fix, and no harm done."""

import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support import forked
from tests.support.forked import Forked
from tests.support.sockets import listens

from bigred_broker import mosquitto, program
from bigred_broker.program import ProgramError, free_port, wait_until
from bigred_server.cli import bigred
from bigred_server.haproxy.configuration import BackendConfig, configuration
from bigred_server.settings import example

BIGRED = Path(sys.executable).with_name("bigred")
VERBS = (
    *("init", "config", "mosquitto", "server", "submit", "status"),
    *("plan", "deploy", "hold", "continue", "abort", "rollback", "history", "show"),
    *("release", "token", "doctor", "demo"),
)
DEADLINE_S = 30.0
BROKER_AWAY = "can't be reached: [Errno 111]"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Gateway:
    """A person's folder with a configuration; nothing that it names needs to run."""

    folder: Path
    socket: Path
    broker_port: int

    @property
    def config(self) -> Path:
        return self.folder / "bigred.toml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def write(self, *changes: tuple[str, str]) -> None:
        text = example()
        ours = [
            ('"/var/lib/bigred"', f'"{self.state}"'),
            ('"/run/haproxy/admin.sock"', f'"{self.socket}"'),
            ("#port = 1883", f"port = {self.broker_port}"),
        ]
        for old, new in [*ours, *changes]:
            assert old in text
            text = text.replace(old, new, 1)
        self.config.write_text(text)

    def bigred(self, *arguments: str, **environment: str) -> Done:
        return forked.run(
            *arguments, folder=self.folder, environment=environment, deadline_s=DEADLINE_S
        )

    def refused(self, *arguments: str, **environment: str) -> str:
        """Return the error of a verb that must fail: one line on stderr, without a traceback."""
        done = self.bigred(*arguments, **environment)
        assert done.returncode == 1, done.stdout
        assert done.stderr.startswith("bigred: ")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.removeprefix("bigred: ").rstrip()

    def contents(self) -> dict[str, list[tuple[object, ...]]]:
        """Return everything that is stored: the rows of the journal and the files of the store."""
        journal = self.state / "bigred.db"
        found: dict[str, list[tuple[object, ...]]] = {}
        if journal.exists():
            with closing(sqlite3.connect(journal)) as db:
                for table in ("release", "deployment", "act", "event", "arming"):
                    found[table] = db.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        found["store"] = [(file.name,) for file in self.state.glob("releases/*")]
        return {name: rows for name, rows in found.items() if rows}

    @contextmanager
    def server(self) -> Iterator[Forked]:
        arguments = ("server", "--config", str(self.config))
        with forked.running(
            "the server", arguments, self.log, lambda: "the server is running" in self.said()
        ) as child:
            yield child

    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    gateway = Gateway(tmp_path, tmp_path / "admin.sock", free_port())
    gateway.write()
    return gateway


@contextmanager
def haproxy(gateway: Gateway, level: str = "admin", server: str = "node1") -> Iterator[None]:
    """A real HAProxy with one backend, whose Runtime API has this level."""
    port = free_port()
    backend = BackendConfig("shop", ((server, free_port()),), "/shop/health")
    text = configuration(port, backend, gateway.socket, gateway.folder / "states")
    file = gateway.folder / "haproxy.cfg"
    file.write_text(text.replace("level admin", f"level {level}"))
    (gateway.folder / "states").write_text("1\n")
    command = [program.find_program("haproxy", "haproxy"), "-db", "-f", str(file)]
    log = gateway.folder / "haproxy.log"
    with program.running("haproxy", command, log, lambda: listens(gateway.socket)):
        yield


def war(folder: Path, content: str = "1") -> Path:
    path = folder / f"shop-{content}.war"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("WEB-INF/index.html", content)
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_what_it_is_for(verb: str) -> None:
    done = CliRunner().invoke(bigred, [verb, "--help"], prog_name="bigred")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: bigred {verb}")
    assert all(len(line) <= 80 for line in done.output.splitlines())


@pytest.mark.parametrize("verb", ["list", "show", "clear", "prune"])
def test_each_verb_for_releases_says_what_it_is_for(verb: str) -> None:
    done = CliRunner().invoke(bigred, ["release", verb, "--help"], prog_name="bigred")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: bigred release {verb}")
    assert all(len(line) <= 80 for line in done.output.splitlines())


def from_nothing(*command: str, folder: Path) -> Done:
    """Run a command as users do, in a Python process of its own."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def test_help_names_every_verb_and_needs_no_configuration(tmp_path: Path) -> None:
    done = from_nothing(str(BIGRED), "--help", folder=tmp_path)
    assert done.returncode == 0
    assert all(f"  {verb} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", ["status", "deploy"])
def test_started_from_scratch_the_command_behaves_as_in_the_other_tests(
    gateway: Gateway, verb: str
) -> None:
    forked_one = gateway.bigred(verb)
    for command in ((str(BIGRED),), (sys.executable, "-m", "bigred_server")):
        done = from_nothing(*command, verb, folder=gateway.folder)
        assert (done.returncode, done.stdout, done.stderr) == (
            forked_one.returncode,
            forked_one.stdout,
            forked_one.stderr,
        )


def test_a_war_that_is_not_a_zip_is_refused(gateway: Gateway) -> None:
    (gateway.folder / "shop.war").write_text("no zip")
    said = gateway.refused("submit", "shop.war", "--version", "1.0")
    assert said.startswith("shop.war: not a WAR, can't read it as a zip")
    assert gateway.contents() == {}


def test_a_truncated_war_is_refused(gateway: Gateway) -> None:
    whole = war(gateway.folder).read_bytes()
    (gateway.folder / "shop.war").write_bytes(whole[: len(whole) // 2])
    assert "not a WAR" in gateway.refused("submit", "shop.war", "--version", "1.0")
    assert gateway.contents() == {}


def test_a_missing_war_is_refused(gateway: Gateway) -> None:
    said = gateway.refused("submit", "shop.war", "--version", "1.0")
    assert said.startswith("shop.war: no such file")
    assert gateway.contents() == {}


def test_an_unknown_app_is_refused_and_the_known_are_named(gateway: Gateway) -> None:
    path = str(war(gateway.folder))
    for verb in (("submit", path, "--version", "1.0"), ("status",), ("deploy",), ("rollback",)):
        said = gateway.refused(*verb, "--app", "shpo")
        assert said == "no app 'shpo' in the configuration; available: shop"
    assert gateway.contents() == {}


def test_a_version_is_never_given_other_bytes(gateway: Gateway) -> None:
    first, second = war(gateway.folder, "1"), war(gateway.folder, "2")
    assert gateway.bigred("submit", str(first), "--version", "1.0").returncode == 0
    before = gateway.contents()
    said = gateway.refused("submit", str(second), "--version", "1.0")
    assert "shop 1.0 exists with other bytes" in said
    assert "choose a new one" in said
    assert "this WAR is already shop 1.0" in gateway.refused(
        "submit", str(first), "--version", "1.1"
    )
    assert gateway.contents() == before
    again = gateway.bigred("submit", str(first), "--version", "1.0")
    assert again.returncode == 0, "the same again, as a hook does that is run twice"
    assert "was submitted before" in again.stdout
    assert gateway.contents() == before


def test_an_unknown_key_is_reported_with_its_line_and_the_nearest_key(gateway: Gateway) -> None:
    gateway.write(("#batch = 1", "btach = 1"))
    line = gateway.config.read_text().splitlines().index("btach = 1") + 1
    said = gateway.refused("status", "--config", str(gateway.config))
    assert said == f"{gateway.config}:{line}: unknown key 'apps.shop.btach'; did you mean 'batch'?"
    assert not gateway.state.exists()


def test_an_invalid_value_is_reported_with_its_line(gateway: Gateway) -> None:
    gateway.write(("#batch = 1", "batch = 0"))
    line = gateway.config.read_text().splitlines().index("batch = 0") + 1
    assert gateway.refused("server").startswith(f"bigred.toml:{line}: apps.shop.batch: ")
    assert not gateway.state.exists()


def test_a_file_that_is_not_toml_is_refused(gateway: Gateway) -> None:
    gateway.config.write_text("[server\n")
    assert gateway.refused("status").startswith("bigred.toml: not valid TOML")


def test_without_a_configuration_the_error_says_how_to_write_one(gateway: Gateway) -> None:
    gateway.config.unlink()
    assert gateway.refused("status").endswith("create one with: bigred init")
    said = gateway.refused("status", BIGRED_CONFIG="other.toml")
    assert said.startswith("other.toml does not exist")
    assert said.endswith("bigred init other.toml")


def test_init_never_overwrites_a_file(gateway: Gateway) -> None:
    before = gateway.config.read_text()
    assert gateway.refused("init") == "bigred.toml already exists; it was not changed"
    assert gateway.config.read_text() == before
    assert gateway.refused("init", "nowhere/bigred.toml") == (
        "can't write nowhere/bigred.toml: No such file or directory; "
        "choose a file in a folder that you can write to"
    )


@pytest.mark.parametrize("form", [(), ("--full",)])
def test_what_init_writes_can_be_used(gateway: Gateway, form: tuple[str, ...]) -> None:
    gateway.config.unlink()
    said = gateway.bigred("init", *form).stdout
    assert "bigred doctor --config bigred.toml" in said
    assert "bigred server --config bigred.toml" in said
    assert gateway.bigred("mosquitto").stdout.startswith("# Written by bigred")


def test_an_unknown_key_of_the_configuration_is_not_explained(gateway: Gateway) -> None:
    assert gateway.refused("config", "drian_s") == (
        "the configuration has no key or table 'drian_s'; did you mean apps.NAME.deadlines.drain_s?"
    )


def test_a_state_folder_that_cannot_be_made_is_named(gateway: Gateway) -> None:
    (gateway.folder / "file").write_text("")
    gateway.write((str(gateway.state), str(gateway.folder / "file" / "state")))
    for verb in ("status", "server"):
        said = gateway.refused(verb)
        assert f"can't create {gateway.folder / 'file' / 'state'}: " in said
        assert "`state` in [server]" in said


def test_a_file_that_is_not_a_journal_is_named(gateway: Gateway) -> None:
    gateway.state.mkdir()
    (gateway.state / "bigred.db").write_text("no database at all, but long enough to look like one")
    for verb in ("status", "server"):
        assert "file is not a database" in gateway.refused(verb)


@pytest.mark.parametrize("verb", ["deploy", "hold", "continue", "abort", "rollback"])
def test_nothing_is_requested_from_a_stopped_server(gateway: Gateway, verb: str) -> None:
    assert gateway.bigred("submit", str(war(gateway.folder)), "--version", "1.0").returncode == 0
    before = gateway.contents()
    said = gateway.refused(verb)
    assert said == "the server is not running; start it with: bigred server"
    assert gateway.contents() == before


def test_an_unknown_deployment_is_reported(gateway: Gateway) -> None:
    assert gateway.refused("show") == "no deployments yet; begin one with: bigred deploy"
    assert gateway.refused("show", "d-1") == (
        "no deployment d-1; list the deployments with: bigred history"
    )
    assert gateway.bigred("history").stdout == "no deployments yet; begin one with: bigred deploy\n"


def test_status_without_haproxy_or_server_says_both(gateway: Gateway) -> None:
    done = gateway.bigred("status")
    assert done.returncode == 0
    assert f"HAProxy at {gateway.socket} can't be reached" in done.stdout
    assert done.stderr == "The server is not running; start it with: bigred server\n"


@pytest.mark.parametrize("level", ["operator", "user"])
def test_a_haproxy_socket_without_admin_level_is_refused(gateway: Gateway, level: str) -> None:
    with haproxy(gateway, level):
        said = gateway.refused("server")
    assert f"grants level '{level}'" in said
    assert "write 'level admin' on its 'stats socket' line" in said
    assert gateway.contents() == {}


def test_a_backend_that_haproxy_does_not_have_is_named(gateway: Gateway) -> None:
    gateway.write(('backend = "shop"', 'backend = "shpo"'))
    with haproxy(gateway):
        said = gateway.refused("server")
    assert said.endswith("has no backend 'shpo'; available: shop")
    assert gateway.contents() == {}


def test_a_server_line_that_the_backend_does_not_have_is_named(gateway: Gateway) -> None:
    with haproxy(gateway, server="web1"):
        said = gateway.refused("server")
    assert "has no server 'node1'; available: web1" in said
    assert gateway.contents() == {}


def test_a_second_server_on_the_same_journal_is_refused(gateway: Gateway) -> None:
    with gateway.server() as first:
        said = gateway.refused("server")
        assert f"another bigred server already uses {gateway.state / 'bigred.db'}" in said
        assert first.poll() is None


def test_an_absent_broker_is_reported_once_and_awaited(gateway: Gateway) -> None:
    with gateway.server() as server:
        wait_until(lambda: BROKER_AWAY in gateway.said(), DEADLINE_S, "it is reported")
        with mosquitto.running(gateway.folder / "mqtt", gateway.broker_port):
            wait_until(
                lambda: "connected to the broker" in gateway.said(), DEADLINE_S, "it is there"
            )
            assert gateway.said().count(BROKER_AWAY) == 1
        assert server.poll() is None


def test_a_release_that_cannot_be_deployed_is_refused_with_the_reason(gateway: Gateway) -> None:
    with gateway.server():
        assert gateway.refused("deploy") == "no release of shop is ready to be deployed"
        assert gateway.refused("deploy", "1.0") == "no release 1.0 of shop; available: none"
        assert gateway.refused("rollback") == "no release of shop is live"
        gateway.bigred("submit", str(war(gateway.folder)), "--version", "1.0")
        for stage, reason in (("bad", "is bad"), ("live", "is already live")):
            with closing(sqlite3.connect(gateway.state / "bigred.db")) as db, db:
                db.execute("UPDATE release SET stage = ?", (stage,))
            assert reason in gateway.refused("deploy", "1.0")
        assert "no earlier release" in gateway.refused("rollback")
        assert "deployment" not in gateway.contents()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with ExitStack() as rig:
        taken = rig.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProgramError, match=f"port {port} is taken"):
            rig.enter_context(mosquitto.running(tmp_path, port))
