"""A fake host that records what is done to it."""

from dataclasses import dataclass, field
from pathlib import Path, PurePath

from bigred_server.rollout.core.observation import HostLook


@dataclass
class FakeHost:
    """Records every call in `done`; a look returns its fields."""

    digest: str | None = ""
    running: bool | None = True
    problem: str = ""
    kept_in: dict[str, Path] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    async def look(self, *, answers: bool) -> HostLook:
        """Return a look with its fields."""
        return HostLook(
            digest=self.digest,
            running=True if answers else self.running,
            manifest={"Implementation-Version": "1"} if self.digest else {},
            kept=frozenset(self.kept_in),
            free=1 << 30,
            problem=self.problem,
        )

    async def copy_war(self, target: Path) -> None:
        """Record it."""
        self._note(f"bring {target}")

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Record it."""
        return self._note(f"fetch {source} {digest} {sorted(keep)}")

    async def swap(self, digest: str) -> str:
        """Record it."""
        return self._note(f"swap {digest}")

    async def stop(self, deadline_s: float) -> str:
        """Record it."""
        return self._note(f"stop {deadline_s:g}")

    async def start(self, deadline_s: float) -> str:
        """Record it."""
        return self._note(f"start {deadline_s:g}")

    def kept(self, digest: str) -> PurePath:
        """Return the path."""
        return self.kept_in[digest]

    async def close(self) -> None:
        """Record it."""
        self._note("close")

    def _note(self, what: str) -> str:
        self.done.append(what)
        return what
