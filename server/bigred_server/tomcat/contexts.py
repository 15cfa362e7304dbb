"""The app's contexts on one node, as its Manager lists them, cached for a moment."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version

if TYPE_CHECKING:
    from bigred_server.tomcat.manager import Manager

_CACHE_S = 1.0


@dataclass(frozen=True)
class Listed:
    """The Manager's answer: the contexts, or None and an `error` if it did not list them."""

    versions: tuple[Version, ...] | None = None
    error: NodeError | None = None


class Contexts:
    """Lists one Manager's contexts, but not ten times a second while nothing changes.

    It also remembers the digest that this process last deployed without a version. That is only a
    hint: others may have deployed since, and other processes do not know it. So it holds only while
    a context is seen running, and the app's own answer must still agree.
    """

    def __init__(self, manager: "Manager") -> None:
        self._manager = manager
        self._deployed = UNKNOWN_DIGEST
        self._actions = 0
        self._cached: tuple[float, Listed] | None = None

    @property
    def deployed(self) -> str:
        """The digest last deployed without a version; UNKNOWN_DIGEST if none is remembered."""
        return self._deployed

    async def look(self) -> Listed:
        """Return the contexts, at most a second old and never from before the last action."""
        now_s, actions = time.monotonic(), self._actions
        if self._cached and now_s - self._cached[0] < _CACHE_S:
            return self._cached[1]
        try:
            listed = Listed(await self._manager.versions())
        except NodeError as error:
            return Listed(error=error)
        # An answer requested before an action ended may not show its effect.
        if self._actions == actions:
            self._cached = (now_s, listed)
            if not any(one.running for one in listed.versions or ()):
                self._deployed = UNKNOWN_DIGEST
        return listed

    @contextlib.contextmanager
    def act(self, deploys: str = UNKNOWN_DIGEST) -> Iterator[None]:
        """Run an action on the contexts; `deploys`: the digest they have if it succeeds."""
        self._deployed = UNKNOWN_DIGEST
        try:
            yield
            self._deployed = deploys
        finally:
            self.forget()

    def forget(self) -> None:
        """List the contexts again at the next look: something has changed since the last one."""
        self._actions += 1
        self._cached = None
