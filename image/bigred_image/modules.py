"""Which kernel modules a box needs: those of a list with all they depend on, and those of a board.

Runs inside the tool root, while the root of the image is made.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

_OPEN_FIRMWARE = "of:N*T*C"
_COMPRESSED = (".xz", ".zst", ".gz")
# In a flattened device tree the strings of one property stand one after another, each ended by NUL.
_COMPATIBLE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.+-]*,[A-Za-z0-9_.+-]+(?=\0)")
# What the root file system is not reached through.
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
    """Read modules.list: one folder or file a line, "#" begins a comment."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def dependencies(text: str) -> Dependencies:
    """Read a modules.dep: each module with all modules it needs, paths as depmod wrote them."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {module: tuple(needed.split()) for module, needed in pairs}


def kept(wanted: Iterable[str], names: frozenset[str], modules: Dependencies) -> frozenset[str]:
    """Return the modules that fit a pattern or have one of the names, and all that these need.

    A pattern that fits none is refused.
    """
    fitting = {
        pattern: {module for module in modules if _fits(module, pattern)} for pattern in wanted
    }
    if useless := [one for one, some in fitting.items() if not some]:
        raise ValueError(f"modules.list: no module of this kernel is in {', '.join(useless)}")
    found = {module for some in fitting.values() for module in some}
    found |= {module for module in modules if name_of(module) in names}
    return frozenset(found | {needed for module in found for needed in modules[module]})


def asked_for(trees: Iterable[Path], aliases: str) -> frozenset[str]:
    """Name the modules that the devices in some flattened device trees ask for.

    `aliases` is a modules.alias, where a module says what it is for, as "of:N*T*Cbrcm,bcm2835-i2c".
    """
    asked = {match.decode() for tree in trees for match in _COMPATIBLE.findall(tree.read_bytes())}
    return frozenset(
        module
        for compatible, module in _aliases(aliases)
        if any(fnmatchcase(one, compatible) for one in asked)
    )


def at_boot(names: Iterable[str], modules: Dependencies) -> tuple[str, ...]:
    """Return of some modules, by name, those that the root file system may be reached through."""
    paths = {name_of(path): path for path in modules}
    return tuple(
        sorted(
            name
            for name in names
            if name in paths and not paths[name].removeprefix("kernel/").startswith(_NOT_AT_BOOT)
        )
    )


def name_of(path: str) -> str:
    """Return a module's name as the kernel writes it: "kernel/a/snd-usb.ko.xz" is snd_usb."""
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
