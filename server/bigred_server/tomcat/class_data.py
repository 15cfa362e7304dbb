"""The class-data archive: Tomcat's classes as the JVM keeps them, so that it starts sooner.

For the private Tomcats of the demo and the tests. It is made by the first call, from a Tomcat that
is started and stopped for it, and stays in the user's cache folder. It never stands in the way of a
start: a JVM checks that it and the jars are those the archive was made of, and goes without it
otherwise.
"""

import contextlib
import functools
import hashlib
import http.client
import os
import secrets
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from bigred_broker.program import ProgramError, free_port, is_listening, wait_until
from bigred_server.tomcat.installed import find_manager, tomcat_home
from bigred_server.tomcat.instance import (
    ManagerUser,
    TomcatInstance,
    find_java,
    libraries,
)

_DEADLINE_S = 60


@functools.cache
def option(home: Path | None = None) -> str:
    """Give the `class_data` of a TomcatInstance; "" where no archive can be made or kept."""
    home = home or tomcat_home()
    try:
        archive = _cache() / f"tomcat-{_made_of(home)}.jsa"
        if not archive.exists():
            _make(home, archive)
    except (OSError, RuntimeError, http.client.HTTPException, subprocess.SubprocessError):
        return ""
    return f"-XX:SharedArchiveFile={archive}"


def _cache() -> Path:
    """Give a folder of this user alone: what a JVM maps into itself must come from no one else."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bigred"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _made_of(home: Path) -> str:
    """Give a digest of JVM, jars and options: another archive for each."""
    java = find_java()
    jars = [home / "bin" / "bootstrap.jar", *libraries(home)]
    parts = [
        *(
            f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}"
            for file in (java, *jars)
        ),
        *(file.read_text() for file in (java.parent.parent / "release",) if file.exists()),
        (Path(__file__).parent / "base" / "control.sh").read_text(),
        f"Manager: {find_manager(home) is not None}",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _make(home: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="making-", dir=archive.parent) as folder:
        made = Path(folder) / archive.name
        manager = ManagerUser("bigred", secrets.token_hex()) if find_manager(home) else None
        tomcat = TomcatInstance(
            Path(folder) / "tomcat",
            free_port(),
            home=home,
            stop_patience_s=_DEADLINE_S,
            manager=manager,
            class_data=f"-XX:ArchiveClassesAtExit={made}",
        )
        tomcat.create()
        page = tomcat.webapps / "ROOT" / "index.html"
        page.parent.mkdir()
        page.write_text("archived")
        with _running(tomcat):
            _ask(tomcat.port, "/index.html")
            if manager is not None:
                _ask(tomcat.port, "/manager/text/list", manager)
        made.replace(archive)


@contextlib.contextmanager
def _running(tomcat: TomcatInstance) -> Iterator[None]:
    def do(command: tuple[str, ...]) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE_S + 10)

    do(tomcat.start_command)
    try:
        wait_until(lambda: is_listening(tomcat.port), _DEADLINE_S, f"{tomcat.base} answers")
        yield
    finally:
        do(tomcat.stop_command)


def _ask(port: int, path: str, user: ManagerUser | None = None) -> None:
    """Send a request, for the classes that serve it."""
    headers = {}
    if user is not None:
        token = b64encode(f"{user.name}:{user.password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, _DEADLINE_S)) as line:
        line.request("GET", path, headers=headers)
        answer = line.getresponse()
        if answer.status != http.client.OK:
            raise ProgramError(f"{path} of the Tomcat to be archived answers {answer.status}")
        answer.read()
