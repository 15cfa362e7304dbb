"""Selects the kernel modules of a box: those of a list, those of the boards, and dependencies.

Runs inside the tool root, while the root of the image is built.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

_OPEN_FIRMWARE = "of:N*T*C"
_COMPRESSED = (".xz", ".zst", ".gz")
# In a flattened device tree the strings of a property follow one another, each ended by NUL.
_COMPATIBLE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.+-]*,[A-Za-z0-9_.+-]+(?=\0)")
# The root file system is never reached through these.
_NOT_AT_BOOT = (
    "sound/",
    "net/",
    "drivers/bluetooth/",
    "drivers/gpu/",
    "drivers/media/",
    "drivers/net/",
    "drivers/staging/",
)

Dependencies = Mapping[str, tuple[str, ...]]


def patterns(text: str) -> tuple[str, ...]:
    """Parse modules.list: one folder or file per line, "#" begins a comment."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def dependencies(text: str) -> Dependencies:
    """Parse a modules.dep: each module with all modules it needs, paths as depmod wrote them."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {module: tuple(needed.split()) for module, needed in pairs}


def selected(wanted: Iterable[str], names: frozenset[str], modules: Dependencies) -> frozenset[str]:
    """Return the modules that match a pattern or a name, with their dependencies.

    Raises ValueError for a pattern that matches none.
    """
    fitting = {
        pattern: {module for module in modules if _fits(module, pattern)} for pattern in wanted
    }
    if useless := [one for one, some in fitting.items() if not some]:
        raise ValueError(f"modules.list: no module of this kernel matches {', '.join(useless)}")
    found = {module for some in fitting.values() for module in some}
    found |= {module for module in modules if name_of(module) in names}
    return frozenset(found | {needed for module in found for needed in modules[module]})


def asked_for(trees: Iterable[Path], aliases: str) -> frozenset[str]:
    """Return the names of the modules for the devices in some flattened device trees.

    `aliases` is a modules.alias, with a module's devices as in "of:N*T*Cbrcm,bcm2835-i2c".
    """
    asked = {match.decode() for tree in trees for match in _COMPATIBLE.findall(tree.read_bytes())}
    return frozenset(
        module
        for compatible, module in _aliases(aliases)
        if any(fnmatchcase(one, compatible) for one in asked)
    )


def at_boot(names: Iterable[str], modules: Dependencies) -> tuple[str, ...]:
    """Return the names of those modules through which the root file system may be reached."""
    paths = {name_of(path): path for path in modules}
    return tuple(
        sorted(
            name
            for name in names
            if name in paths and not paths[name].removeprefix("kernel/").startswith(_NOT_AT_BOOT)
        )
    )


def name_of(path: str) -> str:
    """Return a module's name as the kernel has it: "kernel/a/snd-usb.ko.xz" is snd_usb."""
    return path.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")


def _aliases(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].startswith(_OPEN_FIRMWARE):
            yield words[1].removeprefix(_OPEN_FIRMWARE).removesuffix("C*"), words[2]


def _fits(module: str, pattern: str) -> bool:
    path = module.removeprefix("kernel/")
    for ending in _COMPRESSED:
        path = path.removesuffix(ending)
    return path == pattern or path.startswith(f"{pattern}/")
