"""The app's contexts on one node, as its Manager tells them: a list that is kept for a moment."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version
from bigred_server.tomcat.manager import Manager

_KEEPS_S = 1.0


@dataclass(frozen=True)
class Listed:
    """What the Manager said: the contexts, None with an `error` when it did not tell."""

    versions: tuple[Version, ...] | None = None
    error: NodeError | None = None


class Contexts:
    """Asks one Manager, but not ten times a second while nothing is done.

    It also remembers what this very process last deployed well without a version. That is a hint
    and no more: others may have deployed since, and another process does not have it. So it holds
    only while a context is seen running, and the app's own answer must agree all the same.
    """

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._deployed = UNKNOWN_DIGEST
        self._acts = 0
        self._kept: tuple[float, Listed] | None = None

    @property
    def deployed(self) -> str:
        """The digest that was last deployed without a version, UNTOLD when none is remembered."""
        return self._deployed

    async def look(self) -> Listed:
        """Give the contexts, as of at most a second ago and not of before the last act."""
        now_s, actions = time.monotonic(), self._acts
        if self._kept and now_s - self._kept[0] < _KEEPS_S:
            return self._kept[1]
        try:
            listed = Listed(await self._manager.versions())
        except NodeError as error:
            return Listed(error=error)
        # What was asked before an act had ended tells nothing of the time after it.
        if self._acts == actions:
            self._kept = (now_s, listed)
            if not any(one.running for one in listed.versions or ()):
                self._deployed = UNKNOWN_DIGEST
        return listed

    @contextlib.contextmanager
    def act(self, deploys: str = UNKNOWN_DIGEST) -> Iterator[None]:
        """Do something to the contexts; `deploys`: the digest that is theirs if all goes well."""
        self._deployed = UNKNOWN_DIGEST
        try:
            yield
            self._deployed = deploys
        finally:
            self.forget()

    def forget(self) -> None:
        """Ask anew at the next look: what was told is of before something that matters."""
        self._acts += 1
        self._kept = None
