"""A verb of the command line loads only what it needs: what it loads is most of what it takes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.terminal_site import TerminalSite, terminal_site

DEADLINE_S = 60.0
# Run the command, and write into a file what it has loaded.
PROGRAM = """
import sys
loaded = sys.argv.pop(1)
from {package}.cli import main
try:
    main()
finally:
    with open(loaded, "w") as file:
        print(*sys.modules, file=file)
"""
# Each takes long to load, or loads what does.
HEAVY = frozenset(
    {
        "alembic",
        "anyio",
        "apprise",
        "asyncio",
        "asyncssh",
        "bigred_broker.messages",
        "bigred_server.daemon",
        "bigred_server.fleet.real_fleet",
        "bigred_server.jenkins.call",
        "bigred_server.settings",
        "bigred_server.tomcat.manager",
        "bigred_server.web.models",
        "cryptography",
        "fastapi",
        "httpcore2",
        "httpx2",
        "paho.mqtt.client",
        "psycopg",
        "pydantic",
        "pygments",
        "rich.table",
        "sqlalchemy",
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.ext.asyncio",
        "sqlalchemy.orm",
        "structlog",
        "tomlkit",
        "uvicorn",
    }
)
JOURNAL = frozenset(
    {"asyncio", "bigred_broker.messages", "bigred_server.settings", "pydantic", "sqlalchemy"}
)
TABLE = frozenset({"rich.table"})
NODES = frozenset({"anyio", "bigred_server.fleet.real_fleet", "httpcore2", "httpx2"})

NEEDED = {
    "--help": frozenset[str](),
    "--version": frozenset[str](),
    "server --help": JOURNAL,
    "submit WAR --version 1.2.0": JOURNAL,
    "deploy --no-wait": JOURNAL,
    "release list": JOURNAL | TABLE,
    "release show 1.0.0": JOURNAL | TABLE,
    "history": JOURNAL | TABLE,
    "show": JOURNAL | TABLE,
    "build list": JOURNAL | TABLE,
    "status": JOURNAL | TABLE | NODES,
    "release list --json": JOURNAL | TABLE | {"bigred_server.web.models"},
}
NEEDED_BY_A_BOX = {
    "--help": frozenset[str](),
    "card --help": frozenset[str](),
    "init": frozenset({"bigred_broker.messages", "pydantic"}),
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TerminalSite]:
    with terminal_site(tmp_path) as site:
        yield site


@pytest.mark.parametrize("verb", NEEDED)
def test_a_verb_loads_no_library_that_it_does_not_need(
    site: TerminalSite, tmp_path: Path, verb: str
) -> None:
    words = [str(site.war) if word == "WAR" else word for word in verb.split()]
    found = loaded(tmp_path, "bigred_server", *words, BIGRED_CONFIG=str(site.config))
    assert found == NEEDED[verb]


@pytest.mark.parametrize("verb", NEEDED_BY_A_BOX)
def test_a_verb_of_a_box_loads_no_library_that_it_does_not_need(tmp_path: Path, verb: str) -> None:
    assert loaded(tmp_path, "bigred_agent", *verb.split()) == NEEDED_BY_A_BOX[verb]


@pytest.mark.parametrize(("verb", "is_usual"), [("history", False), ("server", True)])
def test_a_verb_ends_at_once_when_all_is_written_and_the_server_as_usual(
    verb: str, is_usual: bool
) -> None:
    done = python(
        "import atexit, runpy, sys\n"
        "atexit.register(print, 'taken apart')\n"
        "sys.argv[0] = 'bigred'\n"
        "runpy.run_module('bigred_server', run_name='__main__', alter_sys=True)",
        *(verb, "--help"),
    )
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout
    assert done.stdout.endswith("taken apart\n") is is_usual


def test_what_is_named_as_heavy_is_installed_under_this_name() -> None:
    done = python(
        "import importlib.util, sys\n"
        "print(*(name for name in sys.argv[1:] if not importlib.util.find_spec(name)))",
        *HEAVY,
    )
    assert done.stdout.split() == [], done.stderr


def loaded(folder: Path, package: str, *words: str, **environment: str) -> frozenset[str]:
    """Run a verb in a folder; return which of the heavy modules it has loaded."""
    file = folder / "loaded"
    done = python(PROGRAM.format(package=package), str(file), *words, cwd=folder, **environment)
    assert done.returncode == 0, done.stderr
    return HEAVY.intersection(file.read_text().split())


def python(
    program: str, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
