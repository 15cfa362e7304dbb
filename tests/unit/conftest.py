"""Unit tests start no process and open no connection: an attempt fails the test that made it."""

import asyncio
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog

from bigred_server.journal.database import Database, DatabaseUrl

_FORBIDDEN = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"),
        *("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"),
    }
)
# The attempts of the running test; None while no test of this folder runs.
_attempts: list[str] | None = None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _attempts is not None and event in _FORBIDDEN:
        attempt = f"{event}{arguments[:2]}"
        _attempts.append(attempt)
        pytest.fail(f"a unit test tried {attempt}; move it to tests/integration")


# Python's own audit events: every such call passes here. A hook cannot be removed.
sys.addaudithook(_audit)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Forbid both before the first fixture is set up."""
    global _attempts
    _attempts = []
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Allow both again after the last fixture; report attempts whose failure was swallowed."""
    global _attempts
    try:
        return (yield)
    finally:
        attempts, _attempts = _attempts, None
        assert not attempts, f"a unit test tried {attempts}; move it to tests/integration"


@pytest.fixture(scope="session", autouse=True)
def _plain_tracebacks() -> None:
    """Print a logged exception plainly: rich takes seconds for one."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture(scope="session", autouse=True)
def _new_journals_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Migrate one journal, and copy it whenever a new one is opened, at a sixth of the cost."""
    empty, opened = tmp_path_factory.mktemp("journal") / "empty.db", Database.open

    async def open_copy(place: DatabaseUrl) -> Database:
        if isinstance(place, Path) and place.parent.is_dir() and not place.exists():
            shutil.copyfile(empty, place)
            place.chmod(0o600)
        return await opened(place)

    async def migrate() -> None:
        await (await opened(empty)).close()

    asyncio.run(migrate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "open", open_copy)
        # No unit test cuts the power.
        patch.setattr("bigred_server.journal.sqlite._SYNCHRONOUS", "OFF")
        yield
