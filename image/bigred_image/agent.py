"""The agent with its libraries: a venv for the image, created without running arm64 programs.

The libraries are those of requirements.txt, checked by their hashes. The venv also sees Debian's
packages, for libraries that depend on the system's own (the pins).
"""

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

from bigred_image import cache, programs
from bigred_image.errors import ImageError
from bigred_image.paths import CHECKOUT
from bigred_image.progress import say
from bigred_image.workspace import Workspace

PYTHON = "3.13"  # Debian 13's
VENV = Path("opt/bigred/.venv")
REQUIREMENTS = CHECKOUT / "requirements.txt"
# Left out: a box has neither a use nor the libraries for the server.
_NOT_ON_A_BOX = "bigred_server/"
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
_TARGET = (
    "--platform=manylinux2014_aarch64",
    f"--python-version={PYTHON.replace('.', '')}",
    "--only-binary=:all:",
)
_REQUIRES = re.compile(r"^Requires-Dist: .*", re.MULTILINE)
_SCRIPT = f"""\
#!/{VENV}/bin/python3
import sys
from bigred_agent.cli import main
sys.exit(main())
"""
_PYVENV = f"home = /usr/bin\ninclude-system-site-packages = true\nversion = {PYTHON}\n"


def install(workspace: Workspace, root: Path, date: int) -> str:
    """Install the agent in a root; return its version. `date` is that of the commit."""
    wheel = _wheel(workspace, date)
    venv = root / VENV
    site = venv / f"lib/python{PYTHON}/site-packages"
    shutil.copytree(_libraries(workspace, wheel), site)
    with zipfile.ZipFile(wheel) as archive:
        ours = [name for name in archive.namelist() if not name.startswith(_NOT_ON_A_BOX)]
        archive.extractall(site, ours)
    (venv / "bin").mkdir()
    (venv / "bin/python3").symlink_to("/usr/bin/python3")
    (venv / "pyvenv.cfg").write_text(_PYVENV)
    script = venv / "bin/bigred-agent"
    script.write_text(_SCRIPT)
    script.chmod(0o755)
    return wheel.name.split("-")[1]


def lines_of(names: frozenset[str], requirements: str) -> str:
    """Return the locked lines of some projects. Raises ImageError if one is missing."""
    blocks = {
        normal(block.split("==")[0]): block
        for block in re.split(r"\n(?=[A-Za-z0-9])", requirements)
        if "==" in block.split("\n")[0]
    }
    if missing := sorted(names - blocks.keys()):
        raise ImageError(
            f"requirements.txt does not lock {', '.join(missing)}, which the box needs"
        )
    return "\n".join(blocks[name].strip() for name in sorted(names)) + "\n"


def normal(name: str) -> str:
    """Return the normalised name of a project."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def forget_scripts(site: Path) -> None:
    """Remove the libraries' commands, which name this machine's Python, and their records."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for record in site.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith("../../bin/")))


def _wheel(workspace: Workspace, date: int) -> Path:
    folder = workspace.work / "wheel"
    programs.run(
        [*_PIP, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", CHECKOUT],
        workspace.log,
        environment={"SOURCE_DATE_EPOCH": str(date)},
    )
    return next(folder.glob("*.whl"))


def _libraries(workspace: Workspace, wheel: Path) -> Path:
    requirements = REQUIREMENTS.read_text()
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        needs = _REQUIRES.findall(archive.read(metadata).decode())
    key = cache.key(requirements, *needs, PYTHON, *_TARGET)
    cached = workspace.cache / f"libraries-{key}"
    if cached.is_dir():
        return cached
    say("fetching the agent's libraries for arm64")
    pins = workspace.work / "pins.txt"
    pins.write_text("\n".join(re.findall(r"^\S+==\S+", requirements, re.MULTILINE)))
    report = workspace.work / "libraries.json"
    made = workspace.work / "libraries"
    box = f"bigred[agent] @ {wheel.as_uri()}"
    resolve = ("install", "--dry-run", "--ignore-installed", f"--report={report}")
    programs.run(
        [*_PIP, *resolve, f"--target={made}", *_TARGET, f"--constraint={pins}", box], workspace.log
    )
    items = json.loads(report.read_text())["install"]
    names = frozenset(normal(item["metadata"]["name"]) for item in items) - {"bigred"}
    locked = workspace.work / "libraries.txt"
    locked.write_text(lines_of(names, requirements))
    fetch = ("install", "--no-deps", "--no-compile", "--require-hashes", f"--target={made}")
    programs.run([*_PIP, *fetch, *_TARGET, f"--requirement={locked}"], workspace.log)
    forget_scripts(made)
    cache.clear(workspace.cache, "libraries-*")
    made.rename(cached)
    return cached
