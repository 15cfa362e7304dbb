"""Where an image is made: the folders, and the tool root, in which every tool is Debian 13's.

So the image does not depend on what is installed on the machine that builds it; that needs
mmdebstrap alone, and root.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_image import apt, cache, programs
from bigred_image.progress import say

SUITE = "trixie"
HERE = Path(__file__).resolve().parent
IMAGE_FOLDER = HERE.parent
CHECKOUT = IMAGE_FOLDER.parent

# Inside the tool root.
WORK = Path("/work")
SOURCES = Path("/image")

PACKAGES = (
    "mmdebstrap",
    "arch-test",
    "qemu-user",  # runs arm64 programs while the root is made
    "qemu-system-arm",  # boots the image
    "genimage",
    "mtools",
    "dosfstools",
    "e2fsprogs",
    "squashfs-tools",
    "kmod",
    "python3",
    "systemd-standalone-sysusers",
    "debian-archive-keyring",
    "ca-certificates",
    "zstd",
    "device-tree-compiler",
)
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Workshop:
    """The folder of a build, and how its tools are called."""

    folder: Path
    mirrors: apt.Mirrors

    @property
    def tools(self) -> Path:
        """The tool root."""
        return self.folder / "tools"

    @property
    def work(self) -> Path:
        """What is in the making; inside the tool root it is /work."""
        return self.folder / "work"

    @property
    def kept(self) -> Path:
        """What a later build can use again. It may be deleted at any time."""
        return self.folder / "cache"

    @property
    def log(self) -> Path:
        """What the tools printed."""
        return self.folder / "build.log"

    def run(self, *command: str | Path) -> None:
        """Run a command inside the tool root. Raises ImageError when it fails."""
        programs.run(self._entered(command), self.log)

    def answer(self, *command: str | Path) -> str:
        """Run a command inside the tool root and give what it prints."""
        return programs.answer(self._entered(command))

    def _entered(self, command: Sequence[str | Path]) -> list[str | Path]:
        unshare = ["unshare", "--mount", "--propagation", "private"]
        binds = [f"{self.work}:{WORK}", f"{IMAGE_FOLDER}:{SOURCES}"]
        return [*unshare, HERE / "enter.sh", self.tools, *binds, "--", *command]


def prepare(folder: Path, mirrors: apt.Mirrors) -> Workshop:
    """Make the folders, and the tool root if there is none like it yet."""
    workshop = Workshop(folder, mirrors)
    folder.mkdir(parents=True, exist_ok=True)
    workshop.log.write_bytes(b"")
    for made_anew in (workshop.work,):
        shutil.rmtree(made_anew, ignore_errors=True)
        made_anew.mkdir()
    workshop.kept.mkdir(exist_ok=True)
    key = cache.key(SUITE, *PACKAGES, *LEFT_OUT)
    stamp = folder / "tools.key"
    if not (stamp.exists() and stamp.read_text() == key and workshop.tools.is_dir()):
        say(f"making the tool root from Debian's {SUITE}")
        stamp.unlink(missing_ok=True)
        shutil.rmtree(workshop.tools, ignore_errors=True)
        sources = workshop.work / "tools.list"
        sources.write_text(f"deb {mirrors.debian} {SUITE} main\n")
        programs.run(_made(workshop.tools, sources), workshop.log)
        stamp.write_text(key)
    return workshop


def _made(root: Path, sources: Path) -> list[str | Path]:
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--architectures=amd64",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        f"--include={','.join(PACKAGES)}",
        SUITE,
        root,
        sources,
    ]
