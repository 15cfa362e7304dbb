"""From lid to press: who may fire what, only now and once, and how refusals are worded."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as engine_event
from tests.support.clocks import clocks
from tests.support.looks import node_look

from bigred_broker.messages import (
    ANSWER_DEADLINE_S,
    Answer,
    BoxEvent,
    EventType,
    Phase,
    Refusal,
    Reply,
)
from bigred_server.clock import boot_clock_s
from bigred_server.errors import DeploymentError
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.model import arming as armings_module
from bigred_server.model.arming import LIFE_S, Arming, new_id, refusal
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.requests.emergency_stop import QUIET_S
from bigred_server.requests.gates import GateState, gate
from bigred_server.requests.preflight import FleetPreflight
from bigred_server.requests.presses import Presses
from bigred_server.rollout.core.action import Action
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.observation import Answer as AppAnswer
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.settings import Settings

OLD, NEW, NEWER = "0" * 64, "1" * 64, "2" * 64

# --- the arming, pure ----------------------------------------------------------------------------

ARMING = Arming("a" * 32, "office", "shop", NEW, "run-1", deadline_s=160.0, made_at=1.0)


@pytest.mark.parametrize(
    ("arming", "box", "run", "now_s", "code"),
    [
        (ARMING, "office", "run-1", 100.0, None),
        (ARMING, "office", "run-1", 160.0, None),
        (ARMING, "office", "run-1", 160.1, Refusal.EXPIRED),
        (ARMING, "office", "run-2", 100.0, Refusal.EXPIRED),
        (ARMING, "lab", "run-1", 100.0, Refusal.NO_ARMING),
        (None, "office", "run-1", 100.0, Refusal.NO_ARMING),
        (replace(ARMING, used_at=2.0), "office", "run-1", 100.0, Refusal.USED),
        (replace(ARMING, used_at=2.0), "office", "run-2", 999.0, Refusal.USED),
        (replace(ARMING, used_at=2.0), "lab", "run-1", 100.0, Refusal.NO_ARMING),
    ],
)
def test_an_arming_is_good_for_one_press_of_one_box_in_one_run_for_a_while(
    arming: Arming | None, box: str, run: str, now_s: float, code: Refusal | None
) -> None:
    assert refusal(arming, box, run, now_s) is code


def test_an_arming_cannot_be_guessed() -> None:
    ids = [new_id() for _ in range(1000)]
    assert all(len(bytes.fromhex(one)) == 16 for one in ids)
    # Each of the 128 bits is set in about half of them: by chance it is not once in 10^18 runs.
    numbers = [int(one, 16) for one in ids]
    ones = [sum(number >> bit & 1 for number in numbers) for bit in range(128)]
    assert all(350 <= count <= 650 for count in ones), ones


# --- the gates, pure -----------------------------------------------------------------------------


def release(digest: str, version: str, stage: Stage, at: float) -> Release:
    return Release("shop", digest, version, version, stage, at)


LIVE = release(OLD, "1.0.0", Stage.LIVE, 1.0)
READY = release(NEW, "1.1.0", Stage.READY, 2.0)
OPEN = GateState("shop", [LIVE, READY], healthy=3, total=3, min_healthy=2)
UNFIT = "2 of 3 nodes of shop are up and 2 must stay up"


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        (
            replace(
                OPEN, running=Phase.ROLLING_BACK, running_version="1.1.0", running_who="office"
            ),
            Refusal.RUNNING,
            "shop 1.1.0 by office is in progress: rolling back",
        ),
        (
            replace(OPEN, running=Phase.ROLLING, running_version="1.0.0", mends="node2"),
            Refusal.RUNNING,
            "node2 of shop is being brought back to 1.0.0; try again when it serves",
        ),
        (
            replace(OPEN, releases=[]),
            Refusal.NO_CANDIDATE,
            "no release of shop is ready",
        ),
        (
            replace(OPEN, releases=[LIVE]),
            Refusal.NO_CANDIDATE,
            "shop 1.0.0 is live and nothing newer is ready",
        ),
        (
            replace(OPEN, releases=[LIVE, replace(READY, stage=Stage.BAD)]),
            Refusal.NO_CANDIDATE,
            "shop 1.1.0 was rolled back and is bad; nothing newer is ready",
        ),
        (
            replace(OPEN, problem="no such socket", healthy=0),
            Refusal.UNHEALTHY,
            "the state of the nodes of shop is unknown: HAProxy does not answer",
        ),
        (replace(OPEN, healthy=2), Refusal.UNHEALTHY, UNFIT),
        (
            replace(OPEN, healthy=0),
            Refusal.UNHEALTHY,
            "0 of 3 nodes of shop are up and 2 must stay up",
        ),
        (replace(OPEN, releases=[READY], healthy=2), Refusal.UNHEALTHY, UNFIT),
    ],
)
def test_a_closed_gate_says_why(state: GateState, code: Refusal, reason: str) -> None:
    no = gate(state)
    assert no is not None
    assert (no.code, no.reason) == (code, reason)


@pytest.mark.parametrize(
    "state",
    [
        OPEN,
        replace(OPEN, min_healthy=0, healthy=1),
        replace(OPEN, releases=[READY], healthy=0),
        replace(OPEN, releases=[READY], healthy=3),
        # A failed first release left no node that serves; the next must not be blocked.
        replace(OPEN, releases=[release(OLD, "1.0.0", Stage.BAD, 1.0), READY], healthy=0),
    ],
)
def test_a_gate_is_open_if_nothing_prevents_a_deployment(state: GateState) -> None:
    assert gate(state) is None


# --- presses on a real journal -------------------------------------------------------------------


def node(port: int, war: str) -> dict[str, object]:
    command = ["true"]
    more = {"stop": command, "start": command, "running": command}
    return {"url": f"http://127.0.0.1:{port}", "war": war, **more}


def app(name: str, countdown_s: float) -> dict[str, object]:
    return {
        "countdown_s": countdown_s,
        "haproxy": {"socket": "/none", "backend": name},
        "marker": {"path": "/"},
        "nodes": {f"node{n}": node(n, f"/srv/{n}/{name}.war") for n in (1, 2, 3)},
    }


def settings(countdown_s: float = 0.0) -> Settings:
    return Settings.model_validate(
        {
            "server": {"state": "/none"},
            "boxes": {"office": {"app": "shop"}, "lab": {"app": "shop"}, "home": {"app": "blog"}},
            "apps": {name: app(name, countdown_s) for name in ("shop", "blog")},
        }
    )


@dataclass
class StillFleet:
    """Nodes in a fixed state; nothing may be done to them here."""

    down: Sequence[str] = ()
    problem: str = ""

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        assert not deep, "the answer to a lid must not wait for the nodes"
        await asyncio.sleep(0)
        admin = Admin.UNKNOWN if self.problem else Admin.READY
        nodes = {
            name: node_look(name, admin, up=name not in self.down, answer=AppAnswer())
            for name in ("node1", "node2", "node3")
        }
        return FleetLook(nodes, 1, {}, self.problem)

    async def act(self, action: Action) -> str:
        raise AssertionError(action)

    def rest(self) -> None:
        raise AssertionError("a press has nothing to do with it")

    async def until_changed(self, look: NodeLook) -> None:
        raise AssertionError(look)


@dataclass
class Site:
    """A server's answers to its boxes."""

    db: Database
    fleet: StillFleet = field(default_factory=StillFleet)
    started: list[str] = field(default_factory=list)
    run: str = "run-1"
    countdown_s: float = 0.0
    count: int = 0
    clock_ahead_s: float = 0.0

    async def happens(
        self,
        kind: EventType,
        box: str = "office",
        arming: str | None = None,
        ago_s: float = 0.0,
        **more: object,
    ) -> Reply | None:
        self.count += 1
        event = BoxEvent.model_validate(
            {
                "event_type": kind,
                "id": f"{box}-{self.count}",
                "seq": self.count,
                "boot": "b-1",
                "arming": arming,
                "clocks": clocks(ago_s=ago_s),
                **more,
            }
        )
        known = settings(self.countdown_s)
        preflights = {
            name: FleetPreflight(name, app, self.fleet) for name, app in known.fleets.items()
        }
        presses = Presses(
            known.boxes,
            self.db,
            preflights,
            self.run,
            self.started.append,
            lambda: boot_clock_s() + self.clock_ahead_s,
            lambda: 1.0,  # old rows are deleted another time
        )
        return await presses.answer(box, event)

    async def opens(self, box: str = "office", **more: Any) -> Reply:
        reply = await self.happens(EventType.LID_OPEN, box, **more)
        assert reply is not None
        return reply

    async def arms(self, box: str = "office") -> str:
        reply = await self.opens(box)
        assert reply.answer is Answer.ARMED, reply
        assert reply.arming is not None
        return reply.arming

    async def presses(self, arming: str | None, box: str = "office", **more: Any) -> Reply:
        reply = await self.happens(EventType.PRESS, box, arming, **more)
        assert reply is not None
        return reply

    async def add(self, *these: Release) -> None:
        async with self.db.write() as connection:
            for one in these:
                await releases.add(connection, one)

    async def runs(self, phase: Phase = Phase.ROLLING, **more: object) -> DeploymentRecord:
        """Add a running deployment that was started long ago at a terminal."""
        record = DeploymentRecord("d-1", "shop", NEW, OLD, "ada", 1.0, phase=phase)
        async with self.db.write() as connection:
            await deployments.add(connection, replace(record, **more))  # type: ignore[arg-type]
        return record

    async def picks_up(self, phase: Phase) -> None:
        """Handle a command as the rollout's loop does."""
        async with self.db.write() as connection:
            await deployments.change(connection, "d-1", phase=phase, command=None)

    async def asked(self) -> tuple[Command | None, str]:
        """Return the last command that has not been handled, and who gave it."""
        [record] = await self.deployments()
        return record.command, record.commanded_by

    async def event_texts(self) -> list[str]:
        [record] = await self.deployments()
        async with self.db.read() as connection:
            return [each.text for each in await events.of_deployment(connection, record.id)]

    async def deployments(self) -> list[DeploymentRecord]:
        async with self.db.read() as connection:
            return await deployments.newest(connection, None, mends=True)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.open(tmp_path / "bigred.db")
    made = Site(database)
    await made.add(LIVE, READY)
    yield made
    await database.close()


def refused_with(reply: Reply, code: Refusal) -> bool:
    assert reply.answer is Answer.REFUSED, reply
    assert reply.reason
    return reply.code is code


async def test_a_lid_arms_and_the_reply_says_what_a_press_would_do(site: Site) -> None:
    reply = await site.opens()
    assert (reply.answer, reply.app, reply.nodes) == (Answer.ARMED, "shop", 3)
    assert reply.release is not None
    assert (reply.release.version, reply.release.digest) == ("1.1.0", NEW)
    assert (reply.expires_in_s, len(reply.arming or "")) == (60.0, 32)
    assert await site.deployments() == []


async def test_a_lid_costs_the_journal_the_same_however_many_releases_there_were(
    site: Site,
) -> None:
    statements, older = [], replace(LIVE, stage=Stage.RETIRED, submitted_at=0.5)
    await site.add(*(replace(older, digest=f"{n:064}", version=f"0.{n}") for n in range(1, 101)))
    engine = site.db._engines.writer
    engine_event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert (await site.opens()).answer is Answer.ARMED
    assert len(statements) == 6, statements
    async with site.db.read() as connection:
        assert len(await releases.since_live(connection, "shop")) == 2


async def test_a_press_starts_the_deployment_that_was_announced(site: Site) -> None:
    reply = await site.presses(await site.arms())
    assert (reply.answer, reply.app, reply.countdown_s) == (Answer.ACCEPTED, "shop", 0.0)
    [made] = await site.deployments()
    assert (made.id, made.digest, made.who, made.phase) == (
        reply.deployment,
        NEW,
        "office",
        Phase.PREPARING,
    )
    assert (made.not_before, site.started) == (0.0, ["shop"])


async def test_an_arming_is_used_up_by_its_press(site: Site) -> None:
    arming = await site.arms()
    await site.presses(arming)
    assert refused_with(await site.presses(arming), Refusal.RUNNING)
    [made] = await site.deployments()
    async with site.db.write() as connection:
        await deployments.change(connection, made.id, phase=Phase.ABORTED, ended_at=time.time())
    assert refused_with(await site.presses(arming), Refusal.USED)
    assert len(await site.deployments()) == 1


async def test_a_repeated_event_gets_the_same_answer_and_does_nothing_again(site: Site) -> None:
    armed = await site.opens(id="e-1")
    assert await site.opens(id="e-1") == armed
    assert armed.arming is not None
    first = await site.presses(armed.arming, id="e-2")
    assert await site.presses(armed.arming, id="e-2") == first
    assert first.answer is Answer.ACCEPTED
    assert len(await site.deployments()) == 1
    assert site.started == ["shop"]


async def test_an_event_that_comes_twice_at_once_does_its_work_once(site: Site) -> None:
    arming = await site.arms()
    replies = await asyncio.gather(*(site.presses(arming, id="e-2") for _ in range(5)))
    assert replies == [replies[0]] * 5
    assert replies[0].answer is Answer.ACCEPTED
    assert len(await site.deployments()) == 1
    assert site.started == ["shop"]


async def test_the_event_of_another_box_may_have_the_same_id(site: Site) -> None:
    await site.opens("office", id="e-1")
    reply = await site.opens("lab", id="e-1")
    await site.presses(reply.arming, "lab")
    assert [made.who for made in await site.deployments()] == ["lab"]


async def test_another_boxs_arming_is_invalid(site: Site) -> None:
    arming = await site.arms("office")
    assert refused_with(await site.presses(arming, "lab"), Refusal.NO_ARMING)
    assert (await site.presses(arming, "office")).answer is Answer.ACCEPTED


@pytest.mark.parametrize("arming", [None, "f" * 32])
async def test_a_press_without_an_arming_of_ours_does_nothing(
    site: Site, arming: str | None
) -> None:
    await site.arms()
    assert refused_with(await site.presses(arming), Refusal.NO_ARMING)
    assert await site.deployments() == []


async def test_an_expired_arming_does_nothing(site: Site) -> None:
    arming = await site.arms()
    site.clock_ahead_s = LIFE_S + 1
    assert refused_with(await site.presses(arming, ago_s=-LIFE_S - 1), Refusal.EXPIRED)
    assert await site.deployments() == []


async def test_an_arming_of_the_servers_former_run_does_nothing(site: Site) -> None:
    arming = await site.arms()
    site.run = "run-2"
    assert refused_with(await site.presses(arming), Refusal.EXPIRED)


async def test_a_lid_that_opens_again_ends_the_arming_before(site: Site) -> None:
    first, second = await site.arms(), await site.arms()
    assert refused_with(await site.presses(first), Refusal.USED)
    assert (await site.presses(second)).answer is Answer.ACCEPTED


async def test_a_lid_that_closes_ends_its_arming_and_no_other(site: Site) -> None:
    office, lab = await site.arms("office"), await site.arms("lab")
    assert await site.happens(EventType.LID_CLOSE, "office") is None
    assert refused_with(await site.presses(office, "office"), Refusal.USED)
    assert (await site.presses(lab, "lab")).answer is Answer.ACCEPTED


async def test_the_announced_release_is_deployed_even_if_a_newer_one_arrived(site: Site) -> None:
    arming = await site.arms()
    await site.add(release(NEWER, "1.2.0", Stage.READY, 3.0))
    reply = await site.presses(arming)
    assert reply.release is not None
    assert reply.release.version == "1.1.0"
    assert [made.digest for made in await site.deployments()] == [NEW]


@pytest.mark.parametrize("stage", [Stage.BAD, Stage.LIVE, Stage.RETIRED, Stage.FAILED])
async def test_a_release_that_is_no_longer_ready_is_not_deployed(site: Site, stage: Stage) -> None:
    await site.add(release(NEWER, "1.2.0", Stage.READY, 3.0))
    arming = await site.arms()
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", NEWER, stage)
    assert refused_with(await site.presses(arming), Refusal.NO_CANDIDATE)
    assert await site.deployments() == []


async def test_nodes_that_failed_after_the_lid_was_opened_are_not_touched(site: Site) -> None:
    arming = await site.arms()
    site.fleet.down = ("node2",)
    assert refused_with(await site.presses(arming), Refusal.UNHEALTHY)
    site.fleet.down = ()
    assert (await site.presses(arming)).answer is Answer.ACCEPTED


async def test_an_absent_haproxy_arms_nothing(site: Site) -> None:
    site.fleet.problem = "no answer"
    assert refused_with(await site.opens(), Refusal.UNHEALTHY)


async def test_a_lid_that_is_refused_ends_the_arming_before(site: Site) -> None:
    arming = await site.arms()
    site.fleet.down = ("node1", "node2")
    assert refused_with(await site.opens(), Refusal.UNHEALTHY)
    site.fleet.down = ()
    assert refused_with(await site.presses(arming), Refusal.USED)


@pytest.mark.parametrize("kind", [EventType.LID_OPEN, EventType.PRESS])
async def test_an_event_that_is_too_old_does_nothing(site: Site, kind: EventType) -> None:
    arming = await site.arms()
    reply = await site.happens(kind, "office", arming, ago_s=ANSWER_DEADLINE_S)
    assert reply is not None
    assert refused_with(reply, Refusal.STALE)
    # A while that is not over when the event is processed.
    assert (await site.presses(arming, ago_s=ANSWER_DEADLINE_S - 1.0)).answer is Answer.ACCEPTED


@pytest.mark.parametrize("kind", [EventType.LID_OPEN, EventType.PRESS])
async def test_an_unconfigured_box_may_fire_nothing(site: Site, kind: EventType) -> None:
    reply = await site.happens(kind, "stranger")
    assert reply is not None
    assert refused_with(reply, Refusal.NOT_ALLOWED)
    assert "add [boxes.stranger] to the server's configuration" in reply.reason
    assert await site.happens(EventType.LID_CLOSE, "stranger") is None


@pytest.mark.parametrize(
    "kind", [EventType.HOLD, EventType.RELEASE, EventType.BUTTON_LOST, EventType.BUTTON_FOUND]
)
async def test_other_events_have_no_answer_and_no_effect(site: Site, kind: EventType) -> None:
    arming = await site.arms()
    assert await site.happens(kind, "office", arming) is None
    assert await site.deployments() == []
    assert (await site.presses(arming)).answer is Answer.ACCEPTED


async def test_two_boxes_that_press_at_the_same_time_make_one_deployment(site: Site) -> None:
    office, lab = await site.arms("office"), await site.arms("lab")
    replies = await asyncio.gather(site.presses(office, "office"), site.presses(lab, "lab"))
    assert sorted(reply.answer for reply in replies) == [Answer.ACCEPTED, Answer.REFUSED]
    loser = next(reply for reply in replies if reply.answer is Answer.REFUSED)
    assert loser.code is Refusal.RUNNING
    assert "is in progress: preparing" in loser.reason
    assert len(await site.deployments()) == 1
    assert site.started == ["shop"]


async def test_a_lid_during_a_deployment_arms_nothing(site: Site) -> None:
    await site.presses(await site.arms())
    assert refused_with(await site.opens("lab"), Refusal.RUNNING)


async def test_one_apps_deployment_does_not_block_another_app(site: Site) -> None:
    await site.add(replace(READY, app="blog"))
    await site.presses(await site.arms("office"))
    assert (await site.presses(await site.arms("home"), "home")).app == "blog"
    assert sorted(made.app for made in await site.deployments()) == ["blog", "shop"]


async def test_a_deployment_that_cannot_be_written_leaves_the_arming_unused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    arming = await site.arms()

    async def fail(*_given: object) -> None:
        raise DeploymentError("a deployment of shop is already running")

    with monkeypatch.context() as patch:
        patch.setattr(deployments, "add", fail)
        assert refused_with(await site.presses(arming), Refusal.RUNNING)
    assert (await site.presses(arming)).answer is Answer.ACCEPTED


async def test_a_journal_that_cannot_be_written_is_reported(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    async def fail(*_given: object) -> None:
        raise OperationalError("INSERT", {}, OSError("disk full"))

    monkeypatch.setattr(armings_module, "new_id", lambda: "x")
    monkeypatch.setattr(releases, "since_live", fail)
    assert refused_with(await site.opens(), Refusal.BUSY)


# --- the countdown -------------------------------------------------------------------------------


async def test_a_lid_that_closes_in_the_countdown_ends_the_deployment(site: Site) -> None:
    site.countdown_s = 3.0
    reply = await site.presses(await site.arms())
    assert reply.countdown_s == 3.0
    await site.happens(EventType.LID_CLOSE)
    [made] = await site.deployments()
    assert (made.command, made.commanded_by, made.reason) == (
        Command.ABORT,
        "office",
        "the lid was closed during the countdown",
    )
    assert site.started == ["shop", "shop"]


async def test_another_boxs_lid_does_not_end_the_countdown(site: Site) -> None:
    site.countdown_s = 3.0
    await site.presses(await site.arms())
    await site.happens(EventType.LID_CLOSE, "lab")
    [made] = await site.deployments()
    assert made.phase is Phase.PREPARING


@pytest.mark.parametrize("after_s", [3.0, 30.0])
async def test_a_lid_that_closes_after_the_countdown_does_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    site.countdown_s = 3.0
    await site.presses(await site.arms())
    [made] = await site.deployments()
    monkeypatch.setattr(time, "time", lambda: made.started_at + after_s)
    await site.happens(EventType.LID_CLOSE)
    [still] = await site.deployments()
    assert (still.phase, still.ended_at) == (Phase.PREPARING, None)


async def test_a_lid_that_closes_on_a_running_deployment_does_nothing(site: Site) -> None:
    site.countdown_s = 3.0
    await site.presses(await site.arms())
    [made] = await site.deployments()
    async with site.db.write() as connection:
        await deployments.change(connection, made.id, phase=Phase.CANARY)
    await site.happens(EventType.LID_CLOSE)
    assert [one.phase for one in await site.deployments()] == [Phase.CANARY]


# --- the emergency stop --------------------------------------------------------------------------

HOLD_TOLD = "office asked to hold it: nodes being updated are finished; no new ones start"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Advances this machine's clock by seconds."""
    moved = [time.time()]
    monkeypatch.setattr(time, "time", lambda: moved[0])

    def move(by_s: float) -> None:
        moved[0] += by_s

    return move


def accepted(reply: Reply, command: Command | None) -> bool:
    return (reply.answer, reply.deployment, reply.command) == (Answer.ACCEPTED, "d-1", command)


@pytest.mark.parametrize(
    "phase", [Phase.PREPARING, Phase.CANARY, Phase.ROLLING, Phase.BAKING], ids=str
)
async def test_a_press_into_a_running_deployment_holds_it(site: Site, phase: Phase) -> None:
    await site.runs(phase)
    assert accepted(await site.presses(None), Command.HOLD)
    assert await site.asked() == (Command.HOLD, "office")
    assert await site.event_texts() == [HOLD_TOLD]
    assert site.started == ["shop"]


async def test_an_emergency_stop_does_not_wait_for_haproxy(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_self: StillFleet, *, deep: bool) -> FleetLook:
        raise AssertionError("HAProxy was looked at")

    monkeypatch.setattr(StillFleet, "look", hangs)
    await site.runs()
    assert accepted(await site.presses(None), Command.HOLD)


async def test_a_press_while_it_is_held_continues(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs()
    await site.presses(None)
    await site.picks_up(Phase.HOLDING)
    clock(QUIET_S + 1)
    assert accepted(await site.presses(None, "lab"), Command.CONTINUE)
    assert await site.asked() == (Command.CONTINUE, "lab")
    assert (await site.event_texts())[1:] == ["lab asked to continue"]


async def test_a_hold_not_yet_in_effect_counts(site: Site, clock: Callable[[float], None]) -> None:
    await site.runs()
    await site.presses(None)
    clock(QUIET_S + 1)
    assert accepted(await site.presses(None), Command.CONTINUE)


async def test_a_press_continues_a_deployment_held_from_a_terminal(site: Site) -> None:
    await site.runs(Phase.HOLDING)
    assert accepted(await site.presses(None), Command.CONTINUE)


@pytest.mark.parametrize("box", ["office", "lab"])
@pytest.mark.parametrize("after_s", [0.1, QUIET_S - 0.1])
async def test_a_stop_that_is_pressed_again_at_once_stays_a_stop(
    site: Site, clock: Callable[[float], None], box: str, after_s: float
) -> None:
    await site.runs()
    await site.presses(None)
    await site.picks_up(Phase.HOLDING)
    clock(after_s)
    assert accepted(await site.presses(None, box), None)
    assert await site.asked() == (None, "office")
    assert await site.event_texts() == [HOLD_TOLD]


async def test_presses_that_changed_nothing_do_not_silence_the_button_for_longer(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs(Phase.HOLDING)
    assert accepted(await site.presses(None), Command.CONTINUE)
    await site.picks_up(Phase.ROLLING)
    clock(4)
    assert refused_with(await site.presses(None), Refusal.RUNNING)
    clock(2)
    assert accepted(await site.presses(None), Command.HOLD)


async def test_a_press_just_after_a_continue_says_that_it_was_ignored(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs(Phase.HOLDING)
    await site.presses(None)
    await site.picks_up(Phase.ROLLING)
    clock(1)
    reply = await site.presses(None)
    assert refused_with(reply, Refusal.RUNNING)
    assert reply.reason.endswith("it continued a moment ago; press again to hold it")


@pytest.mark.parametrize(
    ("box", "after_s", "is_taken"),
    [("office", 1.0, False), ("office", QUIET_S + 1, True), ("lab", 1.0, True)],
)
async def test_just_after_firing_only_another_box_stops_it(
    site: Site, clock: Callable[[float], None], box: str, after_s: float, is_taken: bool
) -> None:
    fired = await site.presses(await site.arms())
    clock(after_s)
    reply = await site.presses(None, box)
    assert (reply.answer is Answer.ACCEPTED) is is_taken
    assert reply.deployment == fired.deployment
    if not is_taken:
        assert reply.reason.endswith("it started a moment ago; press again to hold it")


async def test_a_clock_that_is_set_back_does_not_silence_the_stop(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.presses(await site.arms())
    clock(-3600)
    assert (await site.presses(None)).answer is Answer.ACCEPTED


@pytest.mark.parametrize(
    ("phase", "mends", "reason"),
    [
        (Phase.ROLLING_BACK, None, "it is being rolled back, which can't be stopped: it brings"),
        (Phase.ROLLING, "node2", "it only brings node2 back to the live release"),
    ],
)
async def test_a_deployment_that_cannot_be_stopped_says_so(
    site: Site, phase: Phase, mends: str | None, reason: str
) -> None:
    await site.runs(phase, mends=mends)
    reply = await site.presses(None)
    assert refused_with(reply, Refusal.RUNNING)
    assert f"the deployment of shop was not stopped: {reason}" in reply.reason
    assert await site.asked() == (None, "")


async def test_a_press_with_an_arming_stops_nothing(site: Site) -> None:
    arming = await site.arms()
    await site.runs()
    assert refused_with(await site.presses(arming), Refusal.RUNNING)
    assert await site.asked() == (None, "")


async def test_a_box_stops_only_the_app_that_it_may_fire(site: Site) -> None:
    await site.runs()
    assert refused_with(await site.presses(None, "home"), Refusal.NO_ARMING)
    assert refused_with(await site.presses(None, "stranger"), Refusal.NOT_ALLOWED)
    assert await site.asked() == (None, "")


async def test_a_stop_that_comes_twice_at_once_is_one(site: Site) -> None:
    await site.runs()
    given = await asyncio.gather(*(site.presses(None, id="e-9") for _ in range(5)))
    assert given == [given[0]] * 5
    assert accepted(given[0], Command.HOLD)
    assert await site.event_texts() == [HOLD_TOLD]


async def test_a_stop_that_is_too_old_stops_nothing(site: Site) -> None:
    await site.runs()
    assert refused_with(await site.presses(None, ago_s=ANSWER_DEADLINE_S), Refusal.STALE)
    assert await site.asked() == (None, "")


# --- a button that is held down ------------------------------------------------------------------


async def held_down(site: Site, box: str = "office", **more: Any) -> None:
    assert await site.happens(EventType.HOLD, box, **more) is None


async def test_a_button_held_down_on_a_held_deployment_rolls_it_back(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs(Phase.HOLDING)
    # As a person does it: the press, which continues the deployment, comes first.
    assert accepted(await site.presses(None), Command.CONTINUE)
    await site.picks_up(Phase.ROLLING)
    clock(3.0)
    await held_down(site)
    assert await site.asked() == (Command.ROLLBACK, "office")
    assert (await site.event_texts())[1:] == [
        "office asked to roll it back (the button was held down)"
    ]
    assert site.started == ["shop", "shop"]


@pytest.mark.parametrize("late_s", [0.0, 1.5])
async def test_the_press_that_stops_rolls_nothing_back_however_long_it_lasts(
    site: Site, clock: Callable[[float], None], late_s: float
) -> None:
    await site.runs()
    await site.presses(None)
    await site.picks_up(Phase.HOLDING)
    clock(3.0 + late_s)
    await held_down(site, ago_s=late_s)
    assert await site.asked() == (None, "office")


async def test_a_second_press_on_a_held_deployment_rolls_it_back_when_it_lasts(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs()
    await site.presses(None)
    await site.picks_up(Phase.HOLDING)
    clock(1.5)
    assert accepted(await site.presses(None), None)
    clock(3.0)
    await held_down(site)
    assert await site.asked() == (Command.ROLLBACK, "office")


async def test_a_hold_whose_press_was_lost_rolls_back_what_is_held(site: Site) -> None:
    await site.runs(Phase.HOLDING)
    await held_down(site)
    assert await site.asked() == (Command.ROLLBACK, "office")


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING, Phase.ROLLING_BACK], ids=str)
async def test_a_button_held_down_does_nothing_to_a_deployment_that_is_not_held(
    site: Site, phase: Phase
) -> None:
    await site.runs(phase)
    await held_down(site)
    assert await site.asked() == (None, "")
    assert site.started == []


@pytest.mark.parametrize(
    ("box", "more"),
    [("stranger", {}), ("home", {}), ("office", {"ago_s": ANSWER_DEADLINE_S})],
)
async def test_a_stale_hold_or_one_of_another_box_rolls_nothing_back(
    site: Site, box: str, more: dict[str, Any]
) -> None:
    await site.runs(Phase.HOLDING)
    await held_down(site, box, **more)
    assert await site.asked() == (None, "")


async def test_a_hold_that_comes_twice_is_one(site: Site) -> None:
    await site.runs(Phase.HOLDING)
    await held_down(site, id="e-9")
    await site.picks_up(Phase.HOLDING)
    await held_down(site, id="e-9")
    assert await site.asked() == (None, "office")


async def test_the_press_of_another_box_is_not_the_beginning_of_this_ones_hold(
    site: Site, clock: Callable[[float], None]
) -> None:
    await site.runs()
    await site.presses(None, "lab")
    await site.picks_up(Phase.HOLDING)
    clock(3.0)
    await held_down(site, "office")
    assert await site.asked() == (Command.ROLLBACK, "office")
