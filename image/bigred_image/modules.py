"""Which kernel modules a box needs: those of a list with all they depend on, and those of a board.

Runs inside the tool root, while the root of the image is made.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

_COMPRESSED = (".xz", ".zst", ".gz")
# In a flattened device tree the strings of one property stand one after another, each ended by NUL.
_COMPATIBLE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.+-]*,[A-Za-z0-9_.+-]+(?=\0)")
# What the root file system is not reached through.
_NOT_AT_BOOT = ("sound/", "net/", "drivers/gpu/", "drivers/net/", "drivers/staging/")

Dependencies = Mapping[str, tuple[str, ...]]


def patterns(text: str) -> tuple[str, ...]:
    """Read modules.list: one folder or file a line, "#" begins a comment."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def dependencies(text: str) -> Dependencies:
    """Read a modules.dep: each module with all modules it needs, paths as depmod wrote them."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {module: tuple(needed.split()) for module, needed in pairs}


def kept(wanted: Iterable[str], modules: Dependencies) -> frozenset[str]:
    """Give the wanted modules and all they need. A pattern that fits none is refused."""
    found: set[str] = set()
    for pattern in wanted:
        fitting = {module for module in modules if _fits(module, pattern)}
        if not fitting:
            raise ValueError(f"modules.list: no module of this kernel is in {pattern}")
        found |= fitting
    return frozenset(found | {needed for module in found for needed in modules[module]})


def prune(folder: Path, wanted: Iterable[str]) -> int:
    """Delete what is not kept from a folder of modules; give how many. depmod must follow."""
    modules = dependencies((folder / "modules.dep").read_text())
    unwanted = set(modules) - kept(wanted, modules)
    for module in unwanted:
        (folder / module).unlink()
    return len(unwanted)


def board_modules(folder: Path, trees: Iterable[Path]) -> tuple[str, ...]:
    """Name the modules that the devices of some boards ask for, without what is of no use at boot.

    `trees` are flattened device trees. A module says what it is for in modules.alias, as
    "of:N*T*Cbrcm,bcm2835-sdhci"; the rest of such a pattern never matters on these boards.
    """
    asked = {match.decode() for tree in trees for match in _COMPATIBLE.findall(tree.read_bytes())}
    names = {_name(path): path for path in dependencies((folder / "modules.dep").read_text())}
    found = set()
    for line in (folder / "modules.alias").read_text().splitlines():
        words = line.split()
        if len(words) == 3 and words[1].startswith("of:N*T*C"):
            compatible = words[1].removeprefix("of:N*T*C").removesuffix("C*")
            if any(fnmatchcase(one, compatible) for one in asked):
                found.add(words[2])
    at_boot = (
        name
        for name in found
        if not names.get(name, "sound/").removeprefix("kernel/").startswith(_NOT_AT_BOOT)
    )
    return tuple(sorted(at_boot))


def _fits(module: str, pattern: str) -> bool:
    path = module.removeprefix("kernel/")
    for ending in _COMPRESSED:
        path = path.removesuffix(ending)
    return path == pattern or path.startswith(f"{pattern}/")


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")
