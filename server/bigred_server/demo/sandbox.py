"""The ground under the stage: its folder and its mark, and the Tomcats that stand on it."""

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
    """Give a new folder; in the end it goes, with every process that was started meanwhile."""
    # The path of a UNIX socket takes 107 bytes, and ours lie three levels below.
    parent = tempfile.gettempdir()
    parent = parent if len(parent) <= _LONGEST_PARENT else "/tmp"  # noqa: S108
    made = Path(tempfile.mkdtemp(prefix="bigred-", dir=parent)).resolve()
    watchman = cleanup.start_watchdog(made)
    # Temporary files of what runs on the stage belong to the stage, and go with it.
    with _environment({cleanup.MARK: str(made), "TMPDIR": str(made)}):
        try:
            yield made
        finally:
            cleanup.clean_up(made)
            # Nothing is left to sweep for him; he goes when his pipe is closed.
            watchman.communicate(timeout=30)


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
    """Start the Tomcats with the shop. Raises ProgramError when one does not come up."""
    # Each start returns at once, so all of them start side by side. Without threads: whoever
    # interrupts the demo must not wait for one that waits for a Tomcat.
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
        said = error.stderr.strip() or "it printed nothing"
        raise program.ProgramError(
            f"{' '.join(command)} ended with {error.returncode}: {said}"
        ) from error
