"""The root of the image without Bigred: Debian's packages, set up once and kept.

It is made by running arm64 programs by emulation, which takes minutes; so it is kept under a key
of everything it is made of: the very versions of all packages, and our own files that shape it.
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
# Only for what maintainer scripts write into files; the dates of files are set by dates.py.
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
# Debian's copyright files have to come with its packages.
_KEPT_DOCUMENTS = "/usr/share/doc/*/copyright"


def packages(text: str) -> tuple[str, ...]:
    """Read packages.list: one package a line, "#" begins a comment."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def make(workspace: Workspace) -> Path:
    """Return the folder of the root, made now or by an earlier build. Nobody may change it."""
    wanted = packages((IMAGE_FOLDER / "packages.list").read_text())
    (workspace.work / _SOURCES_LIST).write_text(workspace.mirrors.sources(SUITE))
    say("asking Debian's archive for the newest packages")
    versions = installed(workspace.tools.answer("sh", SOURCES / "hooks/simulate.sh", *wanted))
    shaping = (path for pattern in SHAPING for path in IMAGE_FOLDER.glob(pattern))
    key = cache.key(*versions, *LEFT_OUT, cache.files(shaping, IMAGE_FOLDER))
    kept = workspace.kept / f"root-{key}"
    if kept.is_dir():
        say(f"the root of {len(versions)} packages is kept from an earlier build")
        return kept
    say(f"installing {len(versions)} packages by emulation (5 to 10 minutes)")
    started = int(time.time())
    fixed = (f"SOURCE_DATE_EPOCH={FIXED_DATE}", f"BUILD_STARTED={started}")
    workspace.tools.emulate("env", *fixed, *_made(wanted))
    made = workspace.work / "root"
    newest = dates.newest(made, started)
    dates.set_back(made, newest, newer_than=newest)
    cache.forget(workspace.kept, "root-*")
    made.rename(kept)
    return kept


def installed(simulation: str) -> tuple[str, ...]:
    """Read from apt's simulation which packages, in which versions, will be installed."""
    lines = (line.split() for line in simulation.splitlines())
    found = sorted(f"{words[1]} {words[2].lstrip('(')}" for words in lines if words[:1] == ["Inst"])
    if not found:
        raise ImageError("apt names no package for the root; see packages.list")
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
        f"--dpkgopt=path-include={_KEPT_DOCUMENTS}",
        f"--include={','.join(wanted)}",
        f"--essential-hook={SOURCES}/hooks/essential.sh",
        f"--customize-hook={SOURCES}/hooks/customize.sh",
        SUITE,
        WORK / "root",
        WORK / _SOURCES_LIST,
    ]
