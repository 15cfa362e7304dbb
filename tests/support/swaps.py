"""Watches from outside that no WAR is replaced on a node to which HAProxy sends requests."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support import neighbours

from bigred_server.demo.config import APP
from bigred_server.demo.demo_site import DemoSite

_EVERY_S = 0.05
_UNKNOWN = "unknown"


@dataclass
class Swaps:
    """`swaps`: how many there were; `faults`: those on a node that was in the pool."""

    demo_site: DemoSite
    swaps: int = 0
    faults: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch until the block ends."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _watch(self) -> None:
        files, statuses = self._files(), self._statuses()
        while not self._ended.wait(_EVERY_S):
            # In this order: a status seen after a change of the file is no older than the change.
            new_files, new_statuses = self._files(), self._statuses()
            for node, file in new_files.items():
                if file not in (None, files[node]):
                    self.swaps += 1
                    was, now = statuses[node], new_statuses[node]
                    if not {was, now} & {"MAINT", _UNKNOWN}:
                        self.faults.append(f"a WAR was replaced on {node}, {was}, then {now}")
            files, statuses = new_files, new_statuses

    def _files(self) -> dict[str, tuple[int, int] | None]:
        found: dict[str, tuple[int, int] | None] = {}
        for name, tomcat in self.demo_site.nodes.items():
            found[name] = None
            with contextlib.suppress(OSError):
                seen = (tomcat.webapps / f"{APP}.war").stat()
                found[name] = seen.st_ino, seen.st_mtime_ns
        return found

    def _statuses(self) -> dict[str, str]:
        try:
            rows = neighbours.rows(self.demo_site.haproxy)
        except (OSError, KeyError):
            return dict.fromkeys(self.demo_site.nodes, _UNKNOWN)
        return {
            name: rows[name].status.split()[0] if name in rows else _UNKNOWN
            for name in self.demo_site.nodes
        }
