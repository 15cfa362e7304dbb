"""Commands of nodes that fail on request: each fault makes one call fail."""

from dataclasses import dataclass
from pathlib import Path

# Called with the node's real command as its arguments, which ends with .../NODE/tomcat VERB.
_SCRIPT = """#!/bin/sh
folder=$(dirname "$0")
for verb; do base=${node-}; node=$verb; done
fault=$folder/$(basename "$(dirname "$base")")-$verb
if rm "$fault" 2>/dev/null; then
    echo "this command fails on purpose, once" >&2
    exit 1
fi
exec "$@"
"""


@dataclass(frozen=True)
class Faulty:
    """A folder with the script that runs the nodes' commands, and the faults to come."""

    folder: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words that precede each command."""
        return ("/bin/sh", str(self._script))

    def create(self) -> None:
        """Write the script."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._script.write_text(_SCRIPT)

    def fail_once(self, node: str, verb: str) -> None:
        """Make the node's next `stop`, `start` or `running` fail."""
        (self.folder / f"{node}-{verb}").touch()

    def clear(self) -> None:
        """Remove the faults that have not happened."""
        for fault in self.folder.iterdir():
            if fault != self._script:
                fault.unlink()

    @property
    def _script(self) -> Path:
        return self.folder / "faulty"
