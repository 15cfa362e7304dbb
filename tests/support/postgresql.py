"""A PostgreSQL for the tests: in a temporary folder, on a UNIX socket, removed with the tests."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bigred_broker import program

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
# Nothing here needs to survive a power cut.
_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=")
DEADLINE_S = 30.0


@dataclass
class Cluster:
    """A running PostgreSQL, whose databases the tests create and discard."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    _made: list[str] = field(default_factory=list)

    def new_database(self) -> str:
        """Create a database; return its URL."""
        name = f"t{uuid.uuid4().hex}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; return its result, one line per row."""
        command = [_binary("psql"), "-XAtq", "-h", str(self.folder), "-U", "postgres", database]
        done = subprocess.run(
            [*command, "-c", statement],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it for the length of a block: it keeps every connection, and answers nobody."""
        processes = [self.process.pid, *_children(self.process.pid)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """One PostgreSQL for all tests of a session."""
    with running() as cluster:
        yield cluster


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Run a PostgreSQL until the block ends. Skips the test where it is not installed."""
    if not _BINARIES:
        pytest.skip("PostgreSQL is not installed; install the package postgresql")
    # Short, because a socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="bigred-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        data = str(folder / "data")
        made = _as_user([_binary("initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-N"])
        subprocess.run(made, check=True, capture_output=True, timeout=DEADLINE_S, cwd="/")
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        command = [_binary("postgres"), "-D", data, "-k", str(folder), *settings]
        ready = [_binary("pg_isready"), "-q", "-h", str(folder), "-U", "postgres"]
        with program.running(
            "PostgreSQL",
            _as_user(command),
            folder / "log",
            lambda: subprocess.run(ready, check=False, timeout=DEADLINE_S).returncode == 0,
            DEADLINE_S,
        ) as process:
            yield Cluster(folder, process)
            process.send_signal(signal.SIGINT)  # waits for no client
    finally:
        shutil.rmtree(folder)


def _as_user(command: Sequence[str]) -> list[str]:
    """Make it die with us, however we die, and not run as root, which PostgreSQL refuses."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return [program.find_program("setpriv", "util-linux"), *user, "--pdeathsig=QUIT", *command]


def _binary(name: str) -> str:
    return str(_BINARIES[-1] / name)


def _children(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
