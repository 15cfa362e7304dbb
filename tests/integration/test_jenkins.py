"""An app that Jenkins deploys: from the press through the queue to the result, and what goes wrong.

The Jenkins speaks HTTP and refuses what Jenkins's remote API does not have.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.clocks import clocks
from tests.support.news import News

from bigred_broker.config import parse
from bigred_broker.messages import (
    OUTCOMES,
    Answer,
    AppEvent,
    AppEventType,
    AppState,
    BoxEvent,
    EventType,
    Phase,
    Refusal,
    Reply,
)
from bigred_server.errors import DeploymentError
from bigred_server.jenkins import decide, reconciler
from bigred_server.jenkins.reconciler import JobReconciler
from bigred_server.jenkins.run_record import RunRecord, Stop
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Stage
from bigred_server.requests import deploy, emergency_stop
from bigred_server.requests.job_preflight import JobPreflight, job_preflights, start
from bigred_server.requests.presses import Presses
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.settings import Settings
from bigred_server.testing.jenkins import FakeJenkins
from bigred_server.testing.jenkins_pages import FakeItem

DEADLINE_S = 20.0
CONFIG = """
[server]
state = "{folder}"
[boxes.office]
app = "site"
[apps.site]
driver = "jenkins"
countdown_s = 0.0
[apps.site.jenkins]
url = "{url}"
job = "{job}"
user = "bigred"
token_file = "{folder}/token"
queue_s = {queue_s}
[apps.site.jenkins.parameters]
{parameters}
"""
TAKES = 'STAGE = "production"\nREASON = "fired by {who} ({deployment})"'


@dataclass
class Site:
    """A Jenkins, a journal, an app with its loop, and a box."""

    jenkins: FakeJenkins
    db: Database
    settings: Settings
    preflight: JobPreflight
    events: list[AppEvent] = field(default_factory=list)
    states: list[AppState] = field(default_factory=list)
    news: News = field(default_factory=lambda: News(DEADLINE_S))
    count: int = 0
    _loop: asyncio.Task[None] | None = None

    def serve(self) -> None:
        """Start a server that follows the app."""
        self._loop = asyncio.create_task(
            JobReconciler(
                app="site",
                db=self.db,
                job=self.preflight.job,
                settings=self.preflight.settings,
                events=EventLog(self.db, self._record_event),
                lead=SqliteLeadership(),
                publish=self._record_state,
            ).run()
        )

    async def leave(self) -> None:
        """Stop the server."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop

    async def fire(self) -> str:
        """Lift the lid and press; return the deployment's id."""
        armed = await self.happens(EventType.LID_OPEN)
        assert armed.answer is Answer.ARMED, armed
        assert armed.nodes == 0
        reply = await self.happens(EventType.PRESS, armed.arming)
        assert reply.answer is Answer.ACCEPTED, reply
        assert reply.deployment is not None
        return reply.deployment

    async def happens(self, kind: EventType, arming: str | None = None) -> Reply:
        self.count += 1
        fields = {"event_type": kind, "id": f"e-{self.count}", "seq": self.count, "boot": "b"}
        more = {"arming": arming, "clocks": clocks("run")}
        presses = Presses(
            self.settings.boxes, self.db, {"site": self.preflight}, "run", lambda _app: None
        )
        reply = await presses.answer("office", BoxEvent.model_validate({**fields, **more}))
        assert reply is not None
        return reply

    async def command(self, command: Command) -> None:
        await deploy.command(self.db, "site", command, "ada")

    async def queued(self) -> int:
        """Wait for an item in the queue; return it."""
        await self.news.until(lambda: bool(self.jenkins.items), "an item in the queue")
        return next(reversed(self.jenkins.items))

    async def ended(self, deployment: str) -> DeploymentRecord:
        await self.news.until(
            lambda: any(e.deployment == deployment and e.phase in OUTCOMES for e in self.events),
            "that it has ended",
        )
        async with self.db.read() as db:
            record = await deployments.find(db, deployment)
        assert record is not None
        return record

    async def event_texts(self, deployment: str) -> list[str]:
        async with self.db.read() as db:
            return [event.text for event in await events.of_deployment(db, deployment)]

    async def stages(self) -> dict[str, Stage]:
        async with self.db.read() as db:
            return {one.version: one.stage for one in await releases.of_app(db, "site")}

    def _record_event(self, event: AppEvent) -> None:
        self.events.append(event)
        self.news.notify()

    def _record_state(self, state: AppState) -> None:
        self.states.append(state)
        self.news.notify()


@contextlib.asynccontextmanager
async def site_with(
    folder: Path, jenkins: FakeJenkins, parameters: str = "", queue_s: float = 900.0
) -> AsyncIterator[Site]:
    (folder / "token").write_text("11aa22bb\n")
    with jenkins.serving() as url:
        text = CONFIG.format(
            folder=folder, url=url, job=jenkins.job, parameters=parameters, queue_s=queue_s
        )
        settings = parse(text, Settings, "bigred.toml")
        db = await Database.open(folder / "bigred.db")
        site = Site(jenkins, db, settings, job_preflights(settings)["site"])
        site.serve()
        try:
            yield site
        finally:
            await site.leave()
            await site.preflight.job.close()
            await db.close()
    assert jenkins.refused == []


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "_POLL_S", 0.05)
    monkeypatch.setattr(decide, "FIND_S", 2.0)
    monkeypatch.setattr(decide, "STOP_S", 0.3)


STAGES = [
    {"id": "6", "name": "Build", "status": "SUCCESS", "durationMillis": 61_000},
    {"id": "9", "name": "Deploy", "status": "IN_PROGRESS", "durationMillis": 100},
]


async def test_a_press_runs_the_job_with_its_parameters_and_reports_its_progress(
    tmp_path: Path,
) -> None:
    jenkins = FakeJenkins(parameters={"STAGE": ["staging", "production"], "REASON": None})
    async with site_with(tmp_path, jenkins, TAKES) as site:
        deployment = await site.fire()
        item = await site.queued()
        assert jenkins.items[item].parameters == {
            "STAGE": "production",
            "REASON": f"fired by office ({deployment})",
        }
        jenkins.hold(item, "blocked", "Build #56 is already in progress (ETA: 23 min)")
        await site.news.until(lambda: "ETA" in site.events[-1].text, "what it waits for")
        # A figure that only counts down is not reported.
        jenkins.hold(item, "blocked", "Build #56 is already in progress (ETA: 22 min)")
        jenkins.hold(item, "buildable", "Waiting for next available executor")
        await site.news.until(lambda: "executor" in site.events[-1].text, "that it is buildable")
        build = jenkins.begin(item, stages=STAGES[:1], console="Started by user bigred\nmvn")
        await site.news.until(lambda: site.states[-1].phase is Phase.ROLLING, "that it runs")
        assert site.states[-1].candidate is None
        build.since, build.estimated_ms = time.time() - 30, 60_000
        build.stages, build.console = STAGES, "Started by user bigred\nmvn package\ndone\n"
        await site.news.until(
            lambda: any("stage Deploy started" in one.text for one in site.events), "the stage"
        )
        await site.news.until(
            lambda: (
                site.states[-1].progress is not None and 50 <= site.states[-1].progress.done <= 60
            ),
            "the progress",
        )
        progress = site.states[-1].progress
        assert progress is not None
        assert (progress.total, progress.unit) == (100, "percent")
        jenkins.finish(57, "SUCCESS")
        record = await site.ended(deployment)
        assert record.phase is Phase.SUCCEEDED
        assert await site.stages() == {"build 57": Stage.LIVE}
        console = [one.text for one in site.events if one.event_type is AppEventType.CONSOLE]
        assert "\n".join(console).split("\n") == ["Started by user bigred", "mvn package", "done"]
        assert record.receipt is not None
        assert record.receipt["release"] == "build 57"
        run = record.receipt["jenkins"]
        assert (run["build"], run["result"]) == (57, "SUCCESS")
        assert run["url"] == f"{jenkins.url}57/"
        assert [one["name"] for one in run["stages"]] == ["Build", "Deploy"]
        assert run["console"] == ["Started by user bigred", "mvn package", "done"]
        found = await site.event_texts(deployment)
        assert sum("ETA" in text for text in found) == 1
        assert not any("mvn" in text for text in found)


async def test_a_job_without_parameters_in_a_folder_is_run_too(tmp_path: Path) -> None:
    jenkins = FakeJenkins(job="web team/deploy+site", next_number=1)
    async with site_with(tmp_path, jenkins) as site:
        deployment = await site.fire()
        jenkins.begin(await site.queued())
        jenkins.finish(1, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED


async def test_a_jenkins_that_wants_a_crumb_gets_one_and_a_new_one_when_it_is_old(
    tmp_path: Path,
) -> None:
    jenkins = FakeJenkins(crumbs=True)
    async with site_with(tmp_path, jenkins) as site:
        for number in (57, 58):
            deployment = await site.fire()
            await site.news.until(lambda: len(jenkins.items) == number - 56, "an item")  # noqa: B023
            jenkins.begin(await site.queued())
            jenkins.finish(number, "SUCCESS")
            assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
            # Its sessions have ended, as after a restart.
            jenkins._sessions.clear()
        assert await site.stages() == {"build 57": Stage.RETIRED, "build 58": Stage.LIVE}


@pytest.mark.parametrize(
    ("result", "phase"),
    [("FAILURE", Phase.FAILED), ("UNSTABLE", Phase.FAILED), ("ABORTED", Phase.ABORTED)],
)
async def test_a_failed_build_is_not_live_and_can_be_fired_again(
    tmp_path: Path, result: str, phase: Phase
) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        site.jenkins.begin(await site.queued(), console="BOOM\n")
        site.jenkins.finish(57, result)
        record = await site.ended(deployment)
        assert record.phase is phase
        assert record.receipt is not None
        assert record.receipt["jenkins"]["console"] == ["BOOM"]
        assert await site.stages() == {"build 57": Stage.FAILED}
        again = await site.fire()
        await site.news.until(lambda: len(site.jenkins.items) == 2, "another item")
        site.jenkins.begin(await site.queued())
        site.jenkins.finish(58, "SUCCESS")
        assert (await site.ended(again)).phase is Phase.SUCCEEDED
        assert (await site.stages())["build 58"] is Stage.LIVE


async def test_an_item_cancelled_in_the_queue_is_aborted_and_its_number_is_reused(
    tmp_path: Path,
) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        site.jenkins.hold(await site.queued(), "cancelled", None)
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        again = await site.fire()
        await site.news.until(lambda: len(site.jenkins.items) == 2, "another item")
        site.jenkins.begin(await site.queued())
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(again)).phase is Phase.SUCCEEDED
        assert await site.stages() == {"build 57": Stage.LIVE}


async def test_another_users_build_is_not_taken_for_ours(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        item = await site.queued()
        with site.jenkins._lock:
            site.jenkins.next_number = 58
        site.jenkins.begin(item)
        site.jenkins.finish(58, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        assert await site.stages() == {"build 58": Stage.LIVE}


async def test_an_item_that_waits_too_long_is_cancelled(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins(), queue_s=0.3) as site:
        record = await site.ended(await site.fire())
        assert record.phase is Phase.FAILED
        assert "queue for more than 0.3 s" in record.reason
        [item] = site.jenkins.items.values()
        assert item.state == "cancelled"


# --- a queue with others in it -------------------------------------------------------------------


@pytest.mark.parametrize("takes", [False, True], ids=["without parameters", "with parameters"])
async def test_a_request_that_is_folded_into_somebody_elses_is_followed(
    tmp_path: Path, takes: bool
) -> None:
    form = {"STAGE": "production"} if takes else {}
    jenkins = FakeJenkins(parameters=dict.fromkeys(form))
    jenkins.items[9] = FakeItem(9, form, "ada", since=time.time() - 3600)
    async with site_with(tmp_path, jenkins, 'STAGE = "production"' if takes else "") as site:
        deployment = await site.fire()
        told = "ada requested the same: Jenkins runs it once for all"
        await site.news.until(lambda: any(e.text == told for e in site.events), "whose it is")
        assert list(jenkins.items) == [9]
        jenkins.begin(9)
        jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        assert (await site.event_texts(deployment)).count(told) == 1


async def test_a_folded_request_is_found_although_its_answer_was_lost(tmp_path: Path) -> None:
    jenkins = FakeJenkins(deaf=1)
    jenkins.items[9] = FakeItem(9, {}, "ada", since=time.time() - 3600)
    async with site_with(tmp_path, jenkins) as site:
        deployment = await site.fire()
        await site.news.until(
            lambda: any("requested the same" in one.text for one in site.events), "the item"
        )
        jenkins.begin(9)
        jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED


async def test_the_case_of_the_users_name_does_not_matter(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins(user="BigRed", deaf=1)) as site:
        deployment = await site.fire()
        site.jenkins.begin(await site.queued())
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        assert not any("requested the same" in text for text in await site.event_texts(deployment))


# --- stopping it ---------------------------------------------------------------------------------


async def test_an_abort_cancels_the_item(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.command(Command.ABORT)
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        assert site.jenkins.items[item].state == "cancelled"
        assert site.jenkins.builds == {}


async def test_an_old_jenkins_cancels_and_redirects(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins(cancels=302)) as site:
        deployment = await site.fire()
        await site.queued()
        await site.command(Command.ABORT)
        assert (await site.ended(deployment)).phase is Phase.ABORTED


@pytest.mark.parametrize(
    ("status", "why"),
    [(422, "give the user bigred the permission Job/Cancel"), (500, "it can't be cancelled now")],
)
async def test_an_item_that_is_not_cancelled_is_stopped_as_a_build(
    tmp_path: Path, status: int, why: str
) -> None:
    async with site_with(tmp_path, FakeJenkins(cancels=status)) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.command(Command.ABORT)
        await site.news.until(
            lambda: any(f"answers {status}: {why}" in one.text for one in site.events), "the reason"
        )
        build = site.jenkins.begin(item)
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        assert build.stops == ["stop"]


async def test_an_item_that_just_left_the_queue_is_stopped_as_a_build(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.leave()
        await site.command(Command.ABORT)
        # The server's last look still showed it in the queue.
        build = site.jenkins.begin(item)
        run = RunRecord(asked_at=time.time(), item=item)
        await site.preflight.job.stop(run, Stop.STOP)
        assert build.stops == []
        site.serve()
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        assert build.stops == ["stop"]


async def test_an_abort_stops_the_build_ever_harder(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        build = site.jenkins.begin(await site.queued(), stages=STAGES, stubborn=2)
        await site.news.until(lambda: site.states[-1].phase is Phase.ROLLING, "that it runs")
        await site.command(Command.ABORT)
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        assert build.stops == ["stop", "term", "kill"]
        assert any(
            "asked Jenkins to terminate it for ada" in text
            for text in await site.event_texts(deployment)
        )


async def test_only_an_abort_is_possible_and_a_press_during_the_run_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        build = site.jenkins.begin(await site.queued(), stages=STAGES)
        await site.news.until(lambda: site.states[-1].phase is Phase.ROLLING, "that it runs")
        for command in (Command.HOLD, Command.CONTINUE, Command.ROLLBACK):
            with pytest.raises(DeploymentError, match="Jenkins runs it, so it can only be aborted"):
                await site.command(command)
        # A button bounces, and so do people.
        bounce = await site.happens(EventType.PRESS)
        assert (bounce.answer, bounce.code) == (Answer.REFUSED, Refusal.RUNNING)
        monkeypatch.setattr(emergency_stop, "QUIET_S", 0.0)
        stopped = await site.happens(EventType.PRESS)
        assert (stopped.answer, stopped.command) == (Answer.ACCEPTED, "abort")
        assert (await site.ended(deployment)).phase is Phase.ABORTED
        assert build.stops == ["stop"]


# --- what goes wrong -----------------------------------------------------------------------------


async def test_an_answer_that_is_lost_does_not_start_it_twice(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins(deaf=1)) as site:
        deployment = await site.fire()
        await site.news.until(
            lambda: any("no answer from Jenkins" in one.text for one in site.events), "the loss"
        )
        [item] = site.jenkins.items
        site.jenkins.begin(item)
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        assert len(site.jenkins.items) == 1


async def test_a_request_that_never_reached_jenkins_has_failed_and_is_not_fired_late(
    tmp_path: Path,
) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        await site.leave()
        deployment = await site.fire()
        site.jenkins.breaks = 1
        site.serve()
        record = await site.ended(deployment)
        assert (record.phase, "fire again" in record.reason) == (Phase.FAILED, True)
        assert site.jenkins.items == {}


async def test_another_server_continues_after_one_was_killed(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.leave()
        site.jenkins.begin(item, stages=STAGES[:1])
        site.serve()
        await site.news.until(
            lambda: any("stage Build" in one.text for one in site.events), "the first stage"
        )
        await site.leave()
        site.serve()
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        found = await site.event_texts(deployment)
        assert sum("stage Build finished" in text for text in found) == 1
        assert len(site.jenkins.items) == 1


async def test_a_server_that_died_during_its_request_finds_the_run(
    tmp_path: Path,
) -> None:
    jenkins = FakeJenkins(parameters={"STAGE": None, "REASON": None})
    async with site_with(tmp_path, jenkins, TAKES) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.leave()
        async with site.db.write() as db:
            await deployments.change(db, deployment, trail={"asked_at": time.time()})
        # Another user's item, with other parameters, came after it.
        jenkins.begin(item)
        other = jenkins.items[item]
        jenkins.items[9] = type(other)(9, {"STAGE": "staging", "REASON": ""}, "bigred")
        jenkins.begin(9)
        site.serve()
        jenkins.finish(57, "SUCCESS")
        record = await site.ended(deployment)
        assert record.receipt is not None
        assert (record.phase, record.receipt["jenkins"]["build"]) == (Phase.SUCCEEDED, 57)


async def test_an_item_that_jenkins_forgot_is_found_among_the_builds(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        item = await site.queued()
        await site.news.until(lambda: "item 1200" in site.events[-1].text, "that it is queued")
        await site.leave()
        site.jenkins.begin(item)
        site.jenkins.forgets = True
        site.serve()
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED


async def test_a_deleted_build_has_failed(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        site.jenkins.begin(await site.queued())
        await site.news.until(lambda: site.states[-1].phase is Phase.ROLLING, "that it runs")
        site.jenkins.builds.clear()
        record = await site.ended(deployment)
        assert (record.phase, "deleted" in record.reason) == (Phase.FAILED, True)


async def test_a_restarting_jenkins_is_awaited(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        site.jenkins.begin(await site.queued())
        await site.news.until(lambda: site.states[-1].phase is Phase.ROLLING, "that it runs")
        site.jenkins.breaks = 5
        await site.news.until(lambda: "answers again" in site.events[-1].text, "that it is back")
        site.jenkins.finish(57, "SUCCESS")
        assert (await site.ended(deployment)).phase is Phase.SUCCEEDED
        found = await site.event_texts(deployment)
        assert sum("the build goes on there" in text for text in found) == 1


async def test_only_the_end_of_a_huge_console_is_read(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        deployment = await site.fire()
        line = "x" * 99 + "\n"
        site.jenkins.begin(await site.queued(), console=line * 200_000 + "the end\n")
        site.jenkins.finish(57, "FAILURE")
        record = await site.ended(deployment)
        assert record.receipt is not None
        tail = record.receipt["jenkins"]["console"]
        assert tail[-1] == "the end"
        assert len(tail) == 40


@pytest.mark.parametrize(
    ("jenkins", "parameters", "why"),
    [
        (FakeJenkins(token="another"), "", "does not contain the API token of the user bigred"),  # noqa: S106
        (FakeJenkins(buildable=False), "", "the job deploy-site is disabled"),
        (FakeJenkins(), TAKES, "takes no parameter STAGE"),
        (FakeJenkins(breaks=99), "", "Jenkins is starting, stopping or broken"),
    ],
)
async def test_reasons_against_a_run_are_given_at_the_lid_and_at_the_terminal(
    tmp_path: Path, jenkins: FakeJenkins, parameters: str, why: str
) -> None:
    async with site_with(tmp_path, jenkins, parameters) as site:
        refused = await site.happens(EventType.LID_OPEN)
        assert (refused.answer, refused.code) == (Answer.REFUSED, Refusal.UNHEALTHY)
        assert why in refused.reason
        with pytest.raises(DeploymentError, match=why[:20]):
            await start(site.db, site.preflight, None, "ada")
    assert jenkins.items == {}


async def test_a_missing_permission_to_build_is_reported_when_it_is_fired(
    tmp_path: Path,
) -> None:
    async with site_with(tmp_path, FakeJenkins(forbids=True)) as site:
        record = await site.ended(await site.fire())
        assert record.phase is Phase.FAILED
        assert "Job/Build" in record.reason


async def test_a_proxy_that_redirects_is_named_with_the_right_address(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins(moved="https://jenkins.example.com")) as site:
        reply = await site.happens(EventType.LID_OPEN)
        assert reply.answer is Answer.REFUSED
        assert "a redirect to https://jenkins.example.com/job/deploy-site" in (reply.reason or "")


async def test_without_jenkins_there_is_no_arming(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        jenkins = site.preflight.settings.jenkins.model_copy(update={"url": "http://127.0.0.1:1"})
        site.preflight.job.call.settings = jenkins
        refused = await site.happens(EventType.LID_OPEN)
        assert (refused.answer, refused.code) == (Answer.REFUSED, Refusal.UNHEALTHY)
        assert "no answer from Jenkins at http://127.0.0.1:1" in refused.reason


async def test_a_version_cannot_be_requested(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        with pytest.raises(DeploymentError, match="its job deploy-site chooses the version"):
            await start(site.db, site.preflight, "1.4.2", "ada")


async def test_only_one_run_happens_at_a_time(tmp_path: Path) -> None:
    async with site_with(tmp_path, FakeJenkins()) as site:
        await start(site.db, site.preflight, None, "ada")
        refused = await site.happens(EventType.LID_OPEN)
        assert (refused.answer, refused.code) == (Answer.REFUSED, Refusal.RUNNING)
        with pytest.raises(DeploymentError, match="is running"):
            await start(site.db, site.preflight, None, "ada")
