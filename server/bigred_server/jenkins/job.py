"""One job of Jenkins: looked at, started, followed through the queue to its result, stopped."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from bigred_server.errors import JenkinsError
from bigred_server.jenkins import answers
from bigred_server.jenkins.call import JenkinsCall
from bigred_server.jenkins.run_record import RunRecord, Stop
from bigred_server.jenkins.run_state import (
    Away,
    BuildRunning,
    Lost,
    Queued,
    RunState,
    Started,
    Withdrawn,
)

_ITEM = re.compile(r"/queue/item/(\d+)/?$")
# Jenkins's clock and ours may differ by so much.
_SKEW_MS = 60_000
_TAIL = 1 << 16


@dataclass(frozen=True)
class Console:
    """What the console printed since `start`, or the end of it, and where it goes on."""

    text: str
    end: int


@dataclass(frozen=True)
class JenkinsJob:
    """A job by its full name, as in "folder/deploy-shop"."""

    call: JenkinsCall

    @property
    def name(self) -> str:
        """Its full name."""
        return self.call.settings.job

    @property
    def path(self) -> str:
        """Its path below Jenkins's root."""
        return "".join(f"/job/{quote(part, safe='')}" for part in self.name.split("/"))

    @property
    def url(self) -> str:
        """Where people see it."""
        return f"{self.call.root}{self.path}/"

    def build_url(self, number: int) -> str:
        """Say where people see one of its builds."""
        return f"{self.url}{number}/"

    async def close(self) -> None:
        """Let go of the connections."""
        await self.call.close()

    async def look(self) -> answers.JobInfo:
        """Look at the job. Raises JenkinsError."""
        found = await self.call.read(f"{self.path}/api/json", answers.JobInfo, answers.JOB)
        if found is None:
            raise JenkinsError(
                f"Jenkins at {self.call.root} has no job {self.name!r}, or its user "
                f"{self.call.settings.user} has no permission Job/Read on it"
            )
        return found

    async def start(self, parameters: Mapping[str, str]) -> int | None:
        """Have it built; give the item of the queue, None where Jenkins did not say which.

        Raises JenkinsError: where no answer came, JenkinsAwayError, and it may be in the queue.
        """
        takes = (await self.look()).parameters
        verb = "buildWithParameters" if takes else "build"
        answered = await self.call.post(f"{self.path}/{verb}", parameters if takes else {})
        # Its root may have another name to itself than to us.
        found = _ITEM.search(answered.headers.get("location", ""))
        return int(found[1]) if found else None

    async def see(self, trail: RunRecord, parameters: Mapping[str, str]) -> RunState | None:
        """See where a run of ours is, None before it was asked for.

        Where neither item nor build is known it is found by its parameters. An answer that does
        not come, or that says no, is seen as that: it may be better at the next look.
        """
        try:
            if trail.build is not None:
                return await self._see_build(trail.build)
            if trail.item is not None:
                return await self._see_item(trail.item)
            if trail.asked_at is not None:
                return await self._find(parameters, trail.asked_at)
        except JenkinsError as error:
            return Away(str(error))
        return None

    async def stop(self, trail: RunRecord, how: Stop) -> None:
        """Have the run end: taken from the queue, or stopped. Raises JenkinsError."""
        if trail.build is not None:
            await self.call.post(f"{self.path}/{trail.build}/{how}", {})
        elif trail.item is not None:
            await self.call.post("/queue/cancelItem", {"id": str(trail.item)})

    async def stages(self, number: int) -> tuple[answers.BuildStage, ...]:
        """Give the stages of a build; none where it is no Pipeline. Raises JenkinsError."""
        found = await self.call.read(f"{self.path}/{number}/wfapi/describe", answers.Stages)
        return found.stages if found else ()

    async def console(self, number: int, start: int) -> Console:
        """Give what the console has printed from `start`, of much only the end.

        Raises JenkinsError.
        """
        path = f"{self.path}/{number}/logText/progressiveText"
        text, end = "", start
        # The first answer tells how much there is, the second, if need be, gives the end of it.
        for _ in range(2):
            answered = await self.call.get(path, {"start": start}, _TAIL)
            if answered.status == HTTPStatus.NOT_FOUND:
                break
            text = answered.body.decode("utf-8", "replace")
            end = int(answered.headers.get("x-text-size", end))
            if end - start <= _TAIL:
                break
            start = end - _TAIL
        return Console(text, end)

    async def _find(self, parameters: Mapping[str, str], since: float) -> RunState:
        """Find what was asked for since a moment (Unix time) with these parameters."""
        earliest = since * 1000 - _SKEW_MS
        queue = await self.call.read("/queue/api/json", answers.Queue, answers.QUEUE)
        for item in queue.items if queue else ():
            ours = item.task.url.rstrip("/").endswith(self.path)
            if ours and item.in_queue_since >= earliest and self._is_ours(item, parameters):
                return Queued(item.id)
        builds = await self._builds()
        for build in builds:
            if build.timestamp >= earliest and self._is_ours(build, parameters):
                return Started(build.number)
        return Lost()

    async def _see_item(self, item: int) -> RunState:
        found = await self.call.read(f"/queue/item/{item}/api/json", answers.Item, answers.ITEM)
        if found is None:
            # Jenkins forgets an item five minutes after it left the queue.
            number = next((b.number for b in await self._builds() if b.queue_id == item), None)
            return Lost() if number is None else Started(number)
        if found.executable is not None:
            return Started(found.executable.number)
        if found.cancelled:
            return Withdrawn()
        return Queued(item, found.why or "")

    async def _see_build(self, number: int) -> RunState:
        path = f"{self.path}/{number}/api/json"
        found = await self.call.read(path, answers.BuildInfo, answers.BUILD)
        return Lost() if found is None else BuildRunning(found)

    async def _builds(self) -> tuple[answers.FoundBuild, ...]:
        path = f"{self.path}/api/json"
        found = await self.call.read(path, answers.Builds, answers.BUILDS)
        return found.builds if found else ()

    def _is_ours(
        self, found: answers.FoundItem | answers.FoundBuild, parameters: Mapping[str, str]
    ) -> bool:
        causes = [cause for action in found.actions for cause in action.causes]
        if not any(cause.user == self.call.settings.user for cause in causes):
            return False
        given = {one.name: one for action in found.actions for one in action.parameters}
        # A secret one's value is not told.
        return all(
            name in given and (given[name].value is None or given[name].text == value)
            for name, value in parameters.items()
        )
