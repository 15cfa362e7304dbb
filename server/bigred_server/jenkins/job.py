"""One job of Jenkins: reads it, starts it, follows its runs and stops them."""

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
# What Jenkins's refusals to cancel an item mean; it answers a redirect if it is an old one.
_NOT_CANCELLED = {
    422: "give the user {user} the permission Job/Cancel on the job in Jenkins",
    500: "it can't be cancelled now, perhaps because it is just being started",
}
# How far Jenkins's clock and ours may differ.
_SKEW_MS = 60_000
_TAIL = 1 << 16


@dataclass(frozen=True)
class Console:
    """Console output, and the offset at which the next output begins."""

    text: str
    end: int


@dataclass(frozen=True)
class JenkinsJob:
    """A job with its full name, such as "folder/deploy-shop"."""

    call: JenkinsCall

    @property
    def name(self) -> str:
        """The job's full name."""
        return self.call.settings.job

    @property
    def path(self) -> str:
        """The job's path below Jenkins's root."""
        return "".join(f"/job/{quote(part, safe='')}" for part in self.name.split("/"))

    @property
    def url(self) -> str:
        """The job's page for people."""
        return f"{self.call.root}{self.path}/"

    def build_url(self, number: int) -> str:
        """Return the page of one of its builds for people."""
        return f"{self.url}{number}/"

    async def close(self) -> None:
        """Close the connections."""
        await self.call.close()

    async def look(self) -> answers.JobInfo:
        """Read the job. Raise JenkinsError on failure."""
        found = await self.call.read(f"{self.path}/api/json", answers.JobInfo, answers.JOB)
        if found is None:
            raise JenkinsError(
                f"Jenkins at {self.call.root} has no job {self.name!r}, or its user "
                f"{self.call.settings.user} has no Job/Read permission on it"
            )
        return found

    async def start(self, parameters: Mapping[str, str]) -> int | None:
        """Request a build; return its queue item, None if Jenkins did not name one.

        Raise JenkinsError on failure: JenkinsAwayError if no answer came, and then the build may be
        in the queue.
        """
        takes = (await self.look()).parameters
        verb = "buildWithParameters" if takes else "build"
        answer = await self.call.post(f"{self.path}/{verb}", parameters if takes else {})
        # Jenkins may know itself by another root than we do.
        found = _ITEM.search(answer.headers.get("location", ""))
        return int(found[1]) if found else None

    async def see(self, run: RunRecord, parameters: Mapping[str, str]) -> RunState | None:
        """Return the state of a run of ours, None before it was requested.

        Find it by its parameters if neither queue item nor build is known. If Jenkins does not
        answer, or refuses, return Away: the next look may succeed.
        """
        try:
            if run.build is not None:
                return await self._see_build(run.build)
            if run.item is not None:
                return await self._see_item(run.item)
            if run.asked_at is not None:
                return await self._find(parameters, run.asked_at)
        except JenkinsError as error:
            return Away(str(error))
        return None

    async def stop(self, run: RunRecord, how: Stop) -> None:
        """End the run: cancel its queue item or stop its build. Raise JenkinsError on failure."""
        if run.build is not None:
            await self.call.post(f"{self.path}/{run.build}/{how}", {})
        elif run.item is not None:
            # An item that left the queue is missing: the next look finds what became of it.
            await self.call.post(
                "/queue/cancelItem", {"id": str(run.item)}, _NOT_CANCELLED, missing_ok=True
            )

    async def stages(self, number: int) -> tuple[answers.BuildStage, ...]:
        """Return a build's stages, none if it is not a Pipeline. Raise JenkinsError on failure."""
        found = await self.call.read(f"{self.path}/{number}/wfapi/describe", answers.Stages)
        return found.stages if found else ()

    async def console(self, number: int, start: int) -> Console:
        """Return the console output from the offset `start`; if it is long, only its end.

        Raise JenkinsError on failure.
        """
        path = f"{self.path}/{number}/logText/progressiveText"
        text, end = "", start
        # The first answer has the size of the output; a second one, if needed, has its end.
        for _ in range(2):
            answer = await self.call.get(path, {"start": start}, _TAIL)
            if answer.status == HTTPStatus.NOT_FOUND:
                break
            text = answer.body.decode("utf-8", "replace")
            end = int(answer.headers.get("x-text-size", end))
            if end - start <= _TAIL:
                break
            start = end - _TAIL
        return Console(text, end)

    async def _find(self, parameters: Mapping[str, str], since: float) -> RunState:
        """Find a run requested since a moment (Unix time) with these parameters."""
        earliest = since * 1000 - _SKEW_MS
        queue = await self.call.read("/queue/api/json", answers.Queue, answers.QUEUE)
        for item in queue.items if queue else ():
            ours = item.task.url.rstrip("/").endswith(self.path)
            # However long it has waited: ours may have been folded into an older request.
            if ours and self._is_ours(item, parameters):
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
        users = dict.fromkeys(answers.requested_by(found.actions))
        others = tuple(one for one in users if not self._is_us(one))
        return Queued(item, found.why or "", others)

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
        if not any(map(self._is_us, answers.requested_by(found.actions))):
            return False
        given = {one.name: one for action in found.actions for one in action.parameters}
        # Jenkins does not report the value of a secret parameter.
        return all(
            name in given and (given[name].value is None or given[name].text == value)
            for name, value in parameters.items()
        )

    def _is_us(self, user: str) -> bool:
        return answers.is_user(user, self.call.settings.user)
