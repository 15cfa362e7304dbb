"""The tool root, in which every tool is Debian 13's.

So an image does not depend on the versions installed on the building machine, which needs only
mmdebstrap, and root.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_image import programs
from bigred_image.paths import IMAGE_FOLDER

# Inside the tool root.
WORK = Path("/work")
SOURCES = Path("/image")
_ENTER = IMAGE_FOLDER / "bigred_image/enter.sh"


@dataclass(frozen=True)
class Tools:
    """Runs commands inside a tool root, where the folder `work` is /work."""

    root: Path
    work: Path
    log: Path

    def run(self, *command: str | Path) -> None:
        """Run a command. Raises ImageError if it fails."""
        programs.run(self.entered(command), self.log)

    def emulate(self, *command: str | Path) -> None:
        """Run a command that runs arm64 programs. Raises ImageError if it fails."""
        programs.run(self.entered(command, "--arm64"), self.log)

    def answer(self, *command: str | Path) -> str:
        """Run a command and return its output. Raises ImageError if it fails."""
        return programs.answer(self.entered(command))

    def entered(self, command: Sequence[str | Path], *options: str) -> list[str | Path]:
        """Return the command that runs another one inside."""
        unshare = ["unshare", "--mount", "--propagation", "private"]
        binds = [f"{self.work}:{WORK}", f"{IMAGE_FOLDER}:{SOURCES}"]
        return [*unshare, _ENTER, *options, self.root, *binds, "--", *command]
