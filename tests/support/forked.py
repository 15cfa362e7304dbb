"""The `bigred` command in processes forked from one that has already loaded it.

Loading takes one to two seconds of processor time, and the tests start the command many hundred
times. Everything else is as at a terminal: each call is a process with arguments, environment,
folder and output of its own; it can be killed, frozen and waited for. The tests of the command line
and of the demo run the real command, and so show that it also starts from scratch.
"""

import contextlib
import ctypes
import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bigred_broker import program
from bigred_server import cli
from bigred_server.demo import cleanup

_DEADLINE_S = 120.0
_POLL_S = 0.005
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

_CONTEXT = multiprocessing.get_context("forkserver")
_VERBS = [module.name for module in pkgutil.walk_packages(cli.__path__, f"{cli.__name__}.")]
# The modules that a server loads when it runs.
_LATE = ("alembic.command", "asyncssh", "bigred_server.web.api", "bigred_server.web.serve")
_CONTEXT.set_forkserver_preload([*_VERBS, *_LATE])
# Two threads that poll one process at the same time would lose its exit code.
_ONE_AT_A_TIME = threading.Lock()


class Forked:
    """A process, with what the tests use of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str],
        output: Path,
        errors: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `bigred ARGUMENTS`, with its output and its errors appended to these files."""
        self.args = ["bigred", *arguments]
        place, given = str(folder or Path.cwd()), dict(os.environ, **(environment or {}))
        files = (str(output), str(errors))
        self._process = _CONTEXT.Process(target=_bigred, args=(self.args, files, place, given))
        with _ONE_AT_A_TIME, _outside_the_site():
            self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, minus the number of the signal that ended it, or None so far."""
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        end_s = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end_s is not None and time.monotonic() > end_s:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            time.sleep(_POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


def run(
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    deadline_s: float = _DEADLINE_S,
) -> "subprocess.CompletedProcess[str]":
    """Run `bigred ARGUMENTS` to its end. Raises subprocess.TimeoutExpired at the deadline."""
    with tempfile.TemporaryDirectory(prefix="forked-") as made:
        output, errors = Path(made) / "output", Path(made) / "errors"
        output.touch()
        errors.touch()
        child = Forked(arguments, output, errors, folder, environment)
        try:
            code = child.wait(deadline_s)
        finally:
            child.kill()
        return subprocess.CompletedProcess(child.args, code, output.read_text(), errors.read_text())


@contextlib.contextmanager
def running(
    name: str,
    arguments: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    deadline_s: float = 20.0,
) -> Iterator[Forked]:
    """Run `bigred ARGUMENTS` until the block ends, as `program.running` does."""
    child = Forked(arguments, log, log)
    with program.attended(name, child, log, ready, deadline_s):
        yield child


@contextlib.contextmanager
def _outside_the_site() -> Iterator[None]:
    """Keep the fork server, which the first call starts, from being killed with a demo site."""
    mark = os.environ.pop(cleanup.MARK, None)
    try:
        yield
    finally:
        if mark is not None:
            os.environ[cleanup.MARK] = mark


def _bigred(argv: list[str], files: tuple[str, str], folder: str, given: dict[str, str]) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(given)
    tempfile.tempdir = None  # TMPDIR may have changed
    for number, file in enumerate(files, 1):
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = argv
    cli.main()
