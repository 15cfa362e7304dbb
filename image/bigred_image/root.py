"""The root of the image without Bigred: Debian's packages, set up once and cached.

Setting it up runs arm64 programs under emulation, which takes minutes. So it is cached under a key
of all its inputs: the exact versions of all packages, and our own files that shape it.
"""

import time
from pathlib import Path

from bigred_image import cache, dates
from bigred_image.errors import ImageError
from bigred_image.paths import IMAGE_FOLDER
from bigred_image.progress import say
from bigred_image.tools import SOURCES, WORK
from bigred_image.workspace import LEFT_OUT, SUITE, Workspace

ARCHITECTURE = "arm64"
# Only for dates that maintainer scripts write into files; dates.py sets the dates of files.
FIXED_DATE = "1754697600"
# Our own files that shape the root.
SHAPING = (
    "packages.list",
    "modules.list",
    "hooks/*",
    "initramfs/**/*",
    *(f"bigred_image/{name}.py" for name in ("dates", "kernel", "modules")),
)
_SOURCES_LIST = "sources.list"
# Debian's packages must come with their copyright files.
_INCLUDED_DOCUMENTS = "/usr/share/doc/*/copyright"


def packages(text: str) -> tuple[str, ...]:
    """Parse packages.list: one package per line, "#" begins a comment."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def make(workspace: Workspace) -> Path:
    """Return the folder of the root, built now or cached by an earlier build. Never change it."""
    wanted = packages((IMAGE_FOLDER / "packages.list").read_text())
    (workspace.work / _SOURCES_LIST).write_text(workspace.mirrors.sources(SUITE))
    say("querying Debian's archive for the latest packages")
    versions = installed(workspace.tools.answer("sh", SOURCES / "hooks/simulate.sh", *wanted))
    shaping = (path for pattern in SHAPING for path in IMAGE_FOLDER.glob(pattern))
    key = cache.key(*versions, *LEFT_OUT, cache.files(shaping, IMAGE_FOLDER))
    cached = workspace.cache / f"root-{key}"
    if cached.is_dir():
        say(f"reusing the root of {len(versions)} packages from an earlier build")
        return cached
    say(f"installing {len(versions)} packages under emulation (5 to 10 minutes)")
    started = int(time.time())
    fixed = (f"SOURCE_DATE_EPOCH={FIXED_DATE}", f"BUILD_STARTED={started}")
    workspace.tools.emulate("env", *fixed, *_made(wanted))
    made = workspace.work / "root"
    newest = dates.newest(made, started)
    dates.set_back(made, newest, newer_than=newest)
    cache.clear(workspace.cache, "root-*")
    made.rename(cached)
    return cached


def installed(simulation: str) -> tuple[str, ...]:
    """Parse apt's simulation: the packages to install, with their versions."""
    lines = (line.split() for line in simulation.splitlines())
    found = sorted(f"{words[1]} {words[2].lstrip('(')}" for words in lines if words[:1] == ["Inst"])
    if not found:
        raise ImageError("apt would install no package for the root; check packages.list")
    return tuple(found)


def _made(wanted: tuple[str, ...]) -> list[str | Path]:
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
        f"--architectures={ARCHITECTURE}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        f"--dpkgopt=path-include={_INCLUDED_DOCUMENTS}",
        f"--include={','.join(wanted)}",
        f"--essential-hook={SOURCES}/hooks/essential.sh",
        f"--customize-hook={SOURCES}/hooks/customize.sh",
        SUITE,
        WORK / "root",
        WORK / _SOURCES_LIST,
    ]
