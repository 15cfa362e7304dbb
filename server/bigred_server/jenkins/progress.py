"""Reports a run in Jenkins: what it waits for, its stages, its progress, its console."""

import time
from dataclasses import dataclass, field
from typing import Any  # a receipt is JSON

from bigred_broker.messages import MOST_TEXT, AppEvent, AppEventType, Progress
from bigred_server.errors import JenkinsError
from bigred_server.jenkins import answers, sentences
from bigred_server.jenkins.job import JenkinsJob
from bigred_server.jenkins.run_record import RunRecord
from bigred_server.jenkins.run_state import Away, BuildRunning, Queued, RunState
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.plain_text import plain
from bigred_server.model.timestamp import utc
from bigred_server.rollout.loop.event_log import EventLog

_TAIL_LINES = 40
_UNDER_WAY = 99


@dataclass
class ProgressReport:
    """Reports one deployment. Texts in `reported` are not reported again.

    `progress`: in percent of the time that Jenkins expects, None if it has no estimate. `tail`: the
    last lines of the console.
    """

    deployment: str
    job: JenkinsJob
    events: EventLog
    reported: set[str]
    progress: Progress | None = None
    tail: list[str] = field(default_factory=list)
    _why: str = ""
    _away: bool = False
    _stages: dict[str, str] = field(default_factory=dict)
    _durations: dict[str, int] = field(default_factory=dict)
    _console_end: int = 0
    _rest: str = ""

    async def update(self, record: DeploymentRecord, seen: RunState | None) -> None:
        """Report what is new. What can't be read now may be readable at the next look."""
        match seen:
            case Away(reason):
                if not self._away:
                    self._away = True
                    await self._report(record, sentences.away(reason))
                return
            case Queued(_, why, others):
                if others:
                    names = [plain(one) for one in others]
                    await self._report_once(record, sentences.shared(names))
                if why and _kind(why) != _kind(self._why):
                    self._why = why
                    await self._report_once(record, sentences.waiting(plain(why)))
            case BuildRunning(build):
                self.progress = _progress(build)
                try:
                    await self._report_stages(record, build)
                    await self._report_console(record, build)
                except JenkinsError:
                    # The build itself has just been read; nothing depends on stages and console.
                    return
        if self._away:
            self._away = False
            await self._report(record, sentences.BACK)

    async def receipt(self, record: DeploymentRecord, seen: RunState | None) -> dict[str, Any]:
        """Return the receipt of the ended deployment."""
        run = RunRecord.of(record.trail or {})
        build = seen.build if isinstance(seen, BuildRunning) else None
        return {
            "deployment": record.id,
            "app": record.app,
            "outcome": str(record.phase),
            "reason": record.reason,
            "who": record.who,
            "seconds": round((record.ended_at or time.time()) - record.started_at, 3),
            "jenkins": {
                "job": self.job.name,
                "build": run.build,
                "url": self.job.build_url(run.build) if run.build else self.job.url,
                "result": build.result if build else None,
                "build_s": build.duration / 1000 if build else None,
                "stages": [
                    {"name": name, "status": status, "seconds": self._durations[name] / 1000}
                    for name, status in self._stages.items()
                ],
                "console": self.tail,
            },
        }

    async def _report_stages(self, record: DeploymentRecord, build: answers.BuildInfo) -> None:
        for stage in await self.job.stages(build.number):
            self._durations[stage.name] = stage.milliseconds
            if self._stages.get(stage.name) == stage.status:
                continue
            self._stages[stage.name] = stage.status
            text = sentences.stage(
                plain(stage.name),
                stage.status,
                stage.milliseconds,
                self.job.build_url(build.number),
            )
            if text:
                await self._report_once(record, text)

    async def _report_console(self, record: DeploymentRecord, build: answers.BuildInfo) -> None:
        console = await self.job.console(build.number, self._console_end)
        self._console_end = console.end
        *lines, self._rest = (self._rest + console.text).split("\n")
        if build.is_over and self._rest:
            lines, self._rest = [*lines, self._rest], ""
        lines = [line for line in map(plain, lines) if line]
        if not lines:
            return
        self.tail = [*self.tail, *lines][-_TAIL_LINES:]
        # Published only; the journal gets the end of the console with the receipt.
        text = "\n".join(lines[-_TAIL_LINES:])[-MOST_TEXT:]
        self.events.publish(
            AppEvent(
                event_type=AppEventType.CONSOLE,
                app=record.app,
                at=utc(time.time()),
                deployment=record.id,
                phase=record.phase,
                text=text,
            )
        )

    async def _report_once(self, record: DeploymentRecord, text: str) -> None:
        if text not in self.reported:
            self.reported.add(text)
            await self._report(record, text)

    async def _report(self, record: DeploymentRecord, text: str) -> None:
        await self.events.report(record, AppEventType.FINDING, text)


def _kind(why: str) -> str:
    """Strip the digits of a reason for waiting: they count down with every look."""
    return "".join(char for char in why if not char.isdigit() and char not in ".,")


def _progress(build: answers.BuildInfo) -> Progress | None:
    if build.is_over:
        return Progress(done=100, total=100, unit="percent")
    if build.estimated <= 0:
        return None
    gone_ms = max(0.0, time.time() * 1000 - build.timestamp)
    done = min(_UNDER_WAY, int(100 * gone_ms / build.estimated))
    return Progress(done=done, total=100, unit="percent")
