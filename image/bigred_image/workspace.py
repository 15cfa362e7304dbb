"""The folders of a build, and the tool root in them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from bigred_image import apt, cache, programs
from bigred_image.progress import say
from bigred_image.tools import Tools

SUITE = "trixie"
PACKAGES = (
    "mmdebstrap",
    "arch-test",
    "qemu-user",  # runs arm64 programs while the root is built
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
class Workspace:
    """The folder of a build, and its tools."""

    folder: Path
    mirrors: apt.Mirrors

    @property
    def tools(self) -> Tools:
        """The tool root; inside it the work folder is /work."""
        return Tools(self.folder / "tools", self.work, self.log)

    @property
    def work(self) -> Path:
        """Temporary files of the current build."""
        return self.folder / "work"

    @property
    def cache(self) -> Path:
        """Results that a later build can reuse. It may be deleted at any time."""
        return self.folder / "cache"

    @property
    def log(self) -> Path:
        """The output of the tools."""
        return self.folder / "build.log"


def prepare(folder: Path, mirrors: apt.Mirrors) -> Workspace:
    """Create the folders, and the tool root unless an up-to-date one exists."""
    workspace = Workspace(folder, mirrors)
    folder.mkdir(parents=True, exist_ok=True)
    workspace.log.write_bytes(b"")
    shutil.rmtree(workspace.work, ignore_errors=True)
    workspace.work.mkdir()
    workspace.cache.mkdir(exist_ok=True)
    key = cache.key(SUITE, *PACKAGES, *LEFT_OUT)
    stamp = folder / "tools.key"
    if not (stamp.exists() and stamp.read_text() == key and workspace.tools.root.is_dir()):
        say(f"building the tool root from Debian's {SUITE}")
        stamp.unlink(missing_ok=True)
        shutil.rmtree(workspace.tools.root, ignore_errors=True)
        sources = workspace.work / "tools.list"
        sources.write_text(f"deb {mirrors.debian} {SUITE} main\n")
        programs.run(_made(workspace.tools.root, sources), workspace.log)
        stamp.write_text(key)
    return workspace


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
