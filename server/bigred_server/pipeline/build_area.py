"""The area of one app's builds: the clone, the home for their caches, and how they are confined."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from bigred_server import private_files
from bigred_server.pipeline import tree
from bigred_server.pipeline.isolation import Isolation, prepared

_READABLE = 0o755


@dataclass(frozen=True)
class BuildArea:
    """`folder`: where all is; a build can change only what it is given in it.

    `network`: whether a sandbox has network. `inherit`: the server's variables that builds get.
    """

    folder: Path
    isolation: Isolation = field(default_factory=Isolation)
    network: bool = False
    inherit: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """The home of the app's builds, kept for their caches."""
        return self.folder / "home"

    @property
    def clone(self) -> Path:
        """The server's clone of the repository; checkouts share its objects."""
        return self.folder / "clone"

    @property
    def owner(self) -> int | None:
        """The user who owns what a build leaves; None for the server's own."""
        return self.isolation.user.uid if self.isolation.user else None

    def make_folder(self) -> None:
        """Create the area, unless it exists. Raise OSError."""
        for folder in (self.folder.parent, self.folder):
            prepared(folder, self.isolation.user)

    def make(self, folder: Path) -> None:
        """Create a folder of the area that builds can read and only the server can change."""
        private_files.make_folder(folder)
        if self.isolation.user:
            folder.chmod(_READABLE)

    def let_read(self, file: Path) -> None:
        """Let builds read a file of the server's; nobody else can, unless they are another user."""
        file.chmod(0o644 if self.isolation.user else private_files.FILE)

    async def make_private(self, folder: Path) -> None:
        """Create a folder that belongs to builds alone, unless it exists. Raise BuildError."""
        if await asyncio.to_thread(self._is_anothers, folder):
            await self.give(folder)

    def _is_anothers(self, folder: Path) -> bool:
        if not folder.is_dir():
            folder.mkdir(mode=private_files.FOLDER, parents=True)
        return self.owner is not None and folder.stat().st_uid != self.owner

    async def give(self, folder: Path) -> None:
        """Make builds the owners of a folder and all in it. Raise BuildError."""
        if user := self.isolation.user:
            await tree.give(folder, user.uid, user.gid)
