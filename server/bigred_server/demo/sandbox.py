"""The sandbox of a demo site: its folder, the mark of its processes, and its Tomcats."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bigred_broker import program
from bigred_server.demo import cleanup, config
from bigred_server.tomcat.instance import TomcatInstance

_START_DEADLINE_S = 60.0
_LONGEST_PARENT = 50


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """Yield a new folder; afterwards, remove it and end every process started in the block."""
    # The path of a UNIX socket is limited to 107 bytes, and ours are three levels deeper.
    parent = tempfile.gettempdir()
    parent = parent if len(parent) <= _LONGEST_PARENT else "/tmp"  # noqa: S108
    made = Path(tempfile.mkdtemp(prefix="bigred-", dir=parent)).resolve()
    watchdog = cleanup.start_watchdog(made)
    # Temporary files of the demo site's processes are put into the folder and removed with it.
    with _environment({cleanup.MARK: str(made), "TMPDIR": str(made)}):
        try:
            yield made
        finally:
            cleanup.clean_up(made)
            # The watchdog has nothing left to clean up; it ends when its pipe is closed.
            watchdog.communicate(timeout=30)


@contextlib.contextmanager
def _environment(added: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start_all(tomcats: dict[str, TomcatInstance], war: Path) -> None:
    """Start the Tomcats with the shop. Raise ProgramError if one does not start."""
    # Each start command returns at once, so the Tomcats start in parallel without threads, which
    # an interrupt of the demo would have to wait for.
    for tomcat in tomcats.values():
        tomcat.create()
        (tomcat.webapps / f"{config.APP}.war").write_bytes(war.read_bytes())
        _run(tomcat.start_command)
    for tomcat in tomcats.values():
        program.wait_until(
            lambda port=tomcat.port: program.is_listening(port),  # type: ignore[misc]
            _START_DEADLINE_S,
            f"the Tomcat in {tomcat.base} answers (see its logs/catalina.out)",
        )


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        output = error.stderr.strip() or "no output"
        raise program.ProgramError(
            f"{' '.join(command)} failed with exit code {error.returncode}: {output}"
        ) from error
