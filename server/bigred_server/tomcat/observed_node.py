"""A node and the app on it, looked at together: each look tells what to ask at the next one."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release
from bigred_server.rollout.core.observation import Answer, HostLook
from bigred_server.tomcat.node import Node
from bigred_server.tomcat.probe import Probe
from bigred_server.tomcat.question import Question, questions

# While it serves, a node is looked at this often during a deployment, and this often between two;
# every action on it makes the next look full. With looks every 2 s, that is every other one.
_KEEPS_S = 1.0
_KEEPS_AT_REST_S = 3.5


@dataclass
class ObservedNode:
    """One node of an app. `marker`: how the configuration has the app prove its release."""

    node: Node
    probe: Probe
    marker: MarkerSettings
    _host: HostLook | None = field(default=None, init=False)
    _answer: Answer = field(default_factory=Answer, init=False)
    _asked_at_s: float = field(default=float("-inf"), init=False)
    _was_in_service: bool = field(default=False, init=False)
    _actions: int = field(default=0, init=False)

    async def look(
        self, known: Sequence[Release], *, in_service: bool, at_rest: bool = False
    ) -> tuple[HostLook, Answer]:
        """Look at the host and ask the app. `known`: the releases of the app.

        In service and answering well, a node is looked at once a second, and the first time at
        once; `in_service`: whether users reach it. `at_rest`: once in four seconds will do.
        """
        actions = self.node.actions
        keeps_s = _KEEPS_AT_REST_S if at_rest else _KEEPS_S
        if in_service and self._host and self._keeps(actions, keeps_s):
            return replace(self._host, running=True), self._answer
        looked = await self._look(known, in_service=in_service)
        self._was_in_service, self._actions = in_service, actions
        return looked

    def _keeps(self, actions: int, keeps_s: float) -> bool:
        is_unchanged = self._was_in_service and self._actions == actions
        return is_unchanged and self._answer.ok and self._is_recent(keeps_s)

    def _is_recent(self, keeps_s: float) -> bool:
        return time.monotonic() - self._asked_at_s < keeps_s

    async def _look(self, known: Sequence[Release], *, in_service: bool) -> tuple[HostLook, Answer]:
        before = self._host or await self.node.look(answers=False)
        asked = questions(self.marker, known, before.digest)
        asking = self._ask(asked, before, in_service=in_service)
        if self._answer.came:
            # It will probably answer again: if so, both looks take the time of one.
            answer, host = await asyncio.gather(asking, self.node.look(answers=True))
        else:
            answer, host = await asking, None
        if host is None or not answer.came:
            host = await self.node.look(answers=answer.came)
        if answer.came and host.digest != before.digest:
            # Another release is in place, which may have to be asked in another way.
            now = questions(self.marker, known, host.digest)
            if now != asked:
                answer = await self._ask(now, host, in_service=False)
        self._host = host
        if answer.came:
            # If the app answers, Tomcat runs; only if it does not is it worth a process to ask.
            host = replace(host, running=True)
        return host, answer

    async def _ask(self, asked: Sequence[Question], host: HostLook, *, in_service: bool) -> Answer:
        """Ask the app, but at most once a second while it is in service and answers well."""
        if not (in_service and self._answer.ok and self._is_recent(_KEEPS_S)):
            # A node in service is not about to be stopped, and will be asked again.
            self._answer = await self.probe.answer(
                asked, host.manifest, keeps_connection=in_service
            )
            self._asked_at_s = time.monotonic()
        return self._answer
