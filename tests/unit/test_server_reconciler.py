"""The reconciler's loop on a real journal, with a fast fleet in memory that can fail."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zipfile import ZipFile

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from structlog.testing import capture_logs
from tests.support.telemetry import FakeTelemetry
from tests.support.until import until
from tests.support.wars import bringing

from bigred_broker.messages import AppEvent, AppState, Phase
from bigred_server.artifacts.files import digest_of
from bigred_server.artifacts.store import Store
from bigred_server.errors import DeploymentError, HookError
from bigred_server.journal import actions, deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.journal.unavailable import JournalUnavailableError, Trouble
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook
from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release, Stage
from bigred_server.requests import deploy
from bigred_server.requests.begin import begin_repair
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.node_phase import WAITING, node_phase
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.loop import reconciler as loop
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.rollout.loop.hook_runner import HookRunner
from bigred_server.rollout.loop.journal_view import JournalReader
from bigred_server.rollout.loop.mapping import target_of
from bigred_server.rollout.loop.reconciler import Reconciler
from bigred_server.testing.simulation import (
    LoopClock,
    SimulatedBuild,
    SimulatedFleet,
    SimulatedNode,
    SimulatedPool,
    SimulatedProxy,
)

NODES = ("a", "b", "c")
POLICY = Policy(
    min_healthy=2,
    drain_s=0.2,
    stop_s=2.0,
    swap_s=2.0,
    start_s=1.0,
    start_again_s=0.05,
    wrong_answer_s=0.2,
    check_s=1.0,
    progress_s=8.0,
)


# A safety net for a hanging test; nothing here depends on how fast the machine is.
_AT_MOST_S = 90.0


@dataclass
class Site:
    """One app: a journal, a fleet, and a server that may die and come back."""

    db: Database
    fleet: SimulatedFleet
    adoption: Adoption
    old: Release
    new: Release
    states: list[AppState] = field(default_factory=list)
    published: list[AppEvent] = field(default_factory=list)
    folder: Path = field(default_factory=Path)
    hooks: HookRunner = field(default_factory=lambda: HookRunner({}, Path()))
    lead: Leadership = field(default_factory=SqliteLeadership)
    telemetry: FakeTelemetry = field(default_factory=FakeTelemetry)
    settled: int = 0
    clock: LoopClock = field(default_factory=LoopClock)

    async def _settled(self) -> None:
        self.settled += 1

    def reconciler(self) -> Reconciler:
        return Reconciler(
            app="shop",
            db=self.db,
            journal=JournalReader("shop", self.db),
            fleet=self.fleet,
            policy=self.fleet.policy,
            strategy=Strategy.RESTART,
            adoption=self.adoption,
            events=EventLog(self.db, self.published.append),
            telemetry=self.telemetry,
            hooks=self.hooks,
            lead=self.lead,
            publish=self.states.append,
            settled=self._settled,
            begin_repair=begin_repair,
            clock=self.clock,
        )

    @contextlib.asynccontextmanager
    async def server(self) -> AsyncIterator[Reconciler]:
        """Run a server; at the end of the block it is cut off wherever it is."""
        made = self.reconciler()
        task = asyncio.create_task(made.run())
        try:
            yield made
            if task.done():
                await task
        finally:
            # Wherever it is, but not within a transaction: that ends with the process that dies.
            await self.clock.released()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def start(self, not_before: float = 0.0) -> None:
        made = DeploymentRecord(
            "d-1", "shop", self.new.digest, None, "office", time.time(), not_before
        )
        async with self.db.write() as connection:
            await deployments.add(connection, made)

    async def record(self) -> DeploymentRecord:
        async with self.db.read() as connection:
            found = await deployments.find(connection, "d-1")
        assert found is not None
        return found

    async def ends(self) -> DeploymentRecord:
        await until(self._has_ended, _AT_MOST_S, "the deployment has ended")
        return await self.record()

    async def _has_ended(self) -> bool:
        return (await self.record()).ended_at is not None

    async def actions(self) -> list[ActionRecord]:
        async with self.db.read() as connection:
            return await actions.of_deployment(connection, "d-1")

    async def its_end_is_told(self) -> bool:
        phase = self.states[-1].phase
        return phase is not None and phase.is_outcome

    def at_the_stop_of(self, node: str, do: Callable[[], Awaitable[object]]) -> None:
        """Do something once, right before a node is stopped for the first time."""
        act = self.fleet.act

        async def does_it_first(action: Action) -> str:
            if (action.node, action.kind) == (node, ActionKind.STOP):
                self.fleet.act = act  # type: ignore[method-assign]
                await do()
            return await act(action)

        self.fleet.act = does_it_first  # type: ignore[method-assign]

    async def nothing_is_left_open(self) -> bool:
        return all(action.outcome for action in await self.actions())

    async def texts(self) -> list[str]:
        async with self.db.read() as connection:
            return [found.text for found in await events.of_deployment(connection, "d-1")]

    async def stages(self) -> dict[str, Stage]:
        async with self.db.read() as connection:
            return {r.version: r.stage for r in await releases.of_app(connection, "shop")}

    def running(self) -> dict[str, str | None]:
        return {name: node.running for name, node in self.fleet.nodes.items()}

    def is_whole(self, release: Release) -> bool:
        looks = self.fleet.see().nodes.values()
        return all(
            look.pool.up and look.pool.admin is Admin.READY and look.host.digest == release.digest
            for look in looks
        ) and set(self.running().values()) == {release.digest}


@dataclass(frozen=True)
class RecordedHooks(HookRunner):
    """Hooks that start no process: one may never end, and one may fail."""

    endless: Hook | None = None
    failing: Hook | None = None
    lines: list[str] = field(default_factory=list)

    async def run(self, hook: Hook, deployment: str, environment: Mapping[str, str]) -> str:
        self.lines.append(
            f"{hook} {environment['BIGRED_RELEASE']} {environment['BIGRED_PREVIOUS']}"
        )
        if hook is self.endless:
            await asyncio.Event().wait()
        if hook is self.failing:
            raise HookError("it ended with 1")
        return "it printed nothing"


def war(path: Path, version: str) -> str:
    with ZipFile(path, "w") as archive:
        archive.comment = version.encode()
    return digest_of(path)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Capture the log: each of its coloured tracebacks would block the loop for a second."""
    with capture_logs():
        yield


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(loop, "POLL_S", 0.01)
    monkeypatch.setattr(loop, "IDLE_S", 0.05)
    monkeypatch.setattr(loop, "_IDLE_LOOK_S", 0.05)
    wars = {name: tmp_path / f"{name}.war" for name in NODES}
    old = next(iter({war(path, "1.0.0") for path in wars.values()}))
    new = war(tmp_path / "new.war", "1.1.0")
    database = await Database.open(tmp_path / "bigred.db")
    clock = LoopClock()
    for name in ("read", "write"):
        monkeypatch.setattr(database, name, clock.holding(getattr(database, name)))
    released = [
        Release("shop", old, "1.0.0", "1.0.0", Stage.LIVE, 1.0),
        Release("shop", new, "1.1.0", "1.1.0", Stage.READY, 2.0),
    ]
    async with database.write() as connection:
        for one in released:
            await releases.add(connection, one)
    builds = {
        old: SimulatedBuild(old, "1.0.0", start_s=0.03),
        new: SimulatedBuild(new, "1.1.0", start_s=0.03),
    }
    fleet = SimulatedFleet(
        builds=builds,
        nodes={name: SimulatedNode(builds, old, old) for name in NODES},
        pool=SimulatedPool([SimulatedProxy.of(NODES)]),
        policy=POLICY,
        clock=clock.monotonic,
        sleep=clock.sleep,
        check_every_s=0.01,
        arriving=lambda random: [0.01] * random.randrange(2),
        lasts=lambda _act: 0.005,
    )
    store = Store(tmp_path / "releases")
    adoption = Adoption("shop", database, store, MarkerSettings(path="/"), bringing(wars))
    yield Site(database, fleet, adoption, released[0], released[1], folder=tmp_path, clock=clock)
    await database.close()


def build(site: Site, release: Release, **behaviour: float | bool | str) -> None:
    """Make a release behave this way."""
    known = dict(site.fleet.builds)
    made = SimulatedBuild(release.digest, release.marker, **{"start_s": 0.03, **behaviour})  # type: ignore[arg-type]
    known[release.digest] = made
    site.fleet.builds = known
    for node in site.fleet.nodes.values():
        node.builds = known


# --- whole deployments ---------------------------------------------------------------------------


async def test_a_good_release_goes_live_on_all_nodes_one_after_the_other(site: Site) -> None:
    await site.start()
    async with site.server():
        ended = await site.ends()
        await until(site.its_end_is_told, _AT_MOST_S, "the end is reported")
    assert (ended.phase, ended.nodes, ended.previous) == (Phase.SUCCEEDED, NODES, site.old.digest)
    assert site.is_whole(site.new)
    assert await site.stages() == {"1.0.0": Stage.RETIRED, "1.1.0": Stage.LIVE}
    done = await site.actions()
    assert [action.kind for action in done if action.node == "a"] == [
        "fetch",
        "maint",
        "stop",
        "swap",
        "start",
        "admit",
        "ready",
    ]
    assert list(dict.fromkeys(action.node for action in done)) == list(NODES)
    assert {action.outcome for action in done} == {"done"}
    assert site.fleet.violations == []
    assert ended.receipt is not None
    assert (ended.receipt["outcome"], ended.receipt["nodes"]) == ("succeeded", 3)
    assert [node["name"] for node in ended.receipt["per_node"]] == list(NODES)
    phases = list(dict.fromkeys(state.phase for state in site.states))
    assert phases[-4:] == [Phase.PREPARING, Phase.CANARY, Phase.ROLLING, Phase.SUCCEEDED]
    assert site.states[-1].live is not None
    assert site.states[-1].live.version == "1.1.0"
    assert any("is live on 3 nodes" in event.text for event in site.published)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"ok": False},
        {"says": "1.0.0"},
        {"lives_s": 0.01},
        {"start_s": 60.0},
        {"passes": False},
    ],
    ids=str,
)
async def test_a_bad_release_is_rolled_back_automatically_and_marked(
    site: Site, behaviour: Mapping[str, float | bool | str]
) -> None:
    build(site, site.new, **behaviour)
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.blames_build) == (Phase.ROLLED_BACK, True)
    assert ended.reason.startswith("a: ")
    assert site.is_whole(site.old)
    assert await site.stages() == {"1.0.0": Stage.LIVE, "1.1.0": Stage.BAD}
    changed = {one.node for one in await site.actions() if one.kind != ActionKind.FETCH}
    assert changed == {"a"}
    assert site.fleet.violations == []


async def test_a_node_at_fault_rolls_the_release_back_and_does_not_mark_it(site: Site) -> None:
    def no_disk_space(action: Action) -> None:
        if (
            action.kind is ActionKind.SWAP
            and action.node == "b"
            and action.target.digest == site.new.digest
        ):
            raise OSError(28, "No space left on device")

    refuse(site, no_disk_space)
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.blames_build) == (Phase.ROLLED_BACK, False)
    assert "No space left on device" in ended.reason
    assert site.is_whole(site.old)
    assert await site.stages() == {"1.0.0": Stage.LIVE, "1.1.0": Stage.READY}


async def test_a_requested_rollback_is_done(site: Site) -> None:
    async def rollback() -> None:
        async with site.db.write() as connection:
            asked = {"command": Command.ROLLBACK, "commanded_by": "linus"}
            await deployments.change(connection, "d-1", **asked)

    site.at_the_stop_of("b", rollback)
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.reason) == (Phase.ROLLED_BACK, "linus asked for the rollback")
    assert site.is_whole(site.old)
    assert (await site.stages())["1.1.0"] is Stage.BAD
    assert site.fleet.violations == []


async def test_too_few_nodes_abort_before_anything_is_touched(site: Site) -> None:
    site.fleet.nodes["b"].end()
    site.fleet.servers["b"].health = 0
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert ended.phase is Phase.ABORTED
    assert site.fleet.actions == []
    assert (await site.stages())["1.1.0"] is Stage.READY


async def test_a_deployment_waits_for_the_countdown_unless_a_person_stops_it(site: Site) -> None:
    await site.start(not_before=time.time() + 60)
    async with site.server():

        async def it_is_told() -> bool:
            return bool(site.states) and site.states[-1].phase is Phase.PREPARING

        await until(it_is_told, _AT_MOST_S, "it is reported")
        assert site.fleet.actions == []
        async with site.db.write() as connection:
            await deployments.change(connection, "d-1", command=Command.ABORT, reason="not today")
        ended = await site.ends()
        assert (ended.phase, ended.reason) == (Phase.ABORTED, "not today")
        assert ended.receipt is not None
        assert ended.receipt["outcome"] == Phase.ABORTED
    assert (await site.texts())[-1] == "1.1.0 was not deployed: not today"
    assert site.fleet.actions == []


async def test_a_haproxy_that_restarts_gets_its_states_again(site: Site) -> None:
    await site.start()
    site.fleet.lasts = lambda action: (
        0.2 if action.kind is ActionKind.STOP and action.node == "b" else 0.005
    )
    async with site.server():

        async def b_is_being_stopped() -> bool:
            return any(
                (action.node, action.kind) == ("b", ActionKind.STOP)
                for action in site.fleet.actions
            )

        await until(b_is_being_stopped, _AT_MOST_S, "b is being stopped")
        site.fleet.restart_haproxy()
        ended = await site.ends()
    assert ended.phase is Phase.SUCCEEDED
    assert site.is_whole(site.new)
    assert (
        sum((action.node, action.kind) == ("b", ActionKind.MAINT) for action in site.fleet.actions)
        >= 2
    )
    assert any("HAProxy was reloaded or restarted" in text for text in await site.texts())


# --- what was live before ------------------------------------------------------------------------


async def test_what_was_live_before_is_adopted_and_rolled_back_to(site: Site) -> None:
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", site.old.digest, Stage.FAILED)
    async with site.server():

        async def it_is_adopted() -> bool:
            return (await site.stages())["1.0.0"] is Stage.LIVE

        await until(it_is_adopted, _AT_MOST_S, "it is adopted")


async def test_a_first_release_goes_live_on_empty_nodes(site: Site) -> None:
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", site.old.digest, Stage.FAILED)
    for name in NODES:
        site.fleet.nodes[name].end()
        site.fleet.nodes[name].digest = ""
        site.fleet.servers[name].health = 0
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.previous) == (Phase.SUCCEEDED, None)
    assert site.is_whole(site.new)


# --- what breaks ---------------------------------------------------------------------------------


def refuse(site: Site, check: Callable[[Action], None]) -> None:
    """Make the fleet run `check` before each action."""
    action = site.fleet.act

    async def checked(one: Action) -> str:
        check(one)
        return await action(one)

    site.fleet.act = checked  # type: ignore[method-assign, assignment]


async def test_an_unforeseen_error_of_an_action_does_not_end_the_loop(site: Site) -> None:
    broken: list[Action] = []

    def once(action: Action) -> None:
        if action.kind is ActionKind.START and not broken:
            broken.append(action)
            raise ZeroDivisionError("a fault of ours")

    refuse(site, once)
    await site.start()
    async with site.server():
        assert (await site.ends()).phase is Phase.SUCCEEDED
    failed = [action for action in await site.actions() if action.outcome == "failed"]
    assert [action.evidence for action in failed] == ["ZeroDivisionError: a fault of ours"]


@pytest.mark.parametrize("function", ["begin", "end"])
async def test_a_journal_that_cannot_be_written_for_a_while_costs_no_node_a_try(
    site: Site, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    write = getattr(actions, function)
    failures: list[object] = []

    async def fails_often(*given: object, **named: object) -> object:
        if len(failures) < 4 * POLICY.tries:
            failures.append(given)
            raise OperationalError("INSERT", {}, OSError("database or disk is full"))
        return await write(*given, **named)

    monkeypatch.setattr(actions, function, fails_often)
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.set_aside) == (Phase.SUCCEEDED, ())
    assert len(failures) == 4 * POLICY.tries
    assert site.is_whole(site.new)
    assert [one for one in await site.actions() if one.outcome != "done"] == []


@pytest.mark.parametrize("function", ["begin", "end"])
@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("UPDATE", {}, ValueError("a constraint failed")),
        JournalUnavailableError("the journal is damaged", Trouble.DAMAGED),
    ],
)
async def test_an_error_of_the_journal_that_does_not_pass_ends_the_deployment(
    site: Site, monkeypatch: pytest.MonkeyPatch, function: str, error: SQLAlchemyError
) -> None:
    async def fails(*_given: object, **_named: object) -> object:
        raise error

    monkeypatch.setattr(actions, function, fails)
    await site.start()
    async with site.server():
        ended = await site.ends()
    if function == "begin":
        assert ended.phase is Phase.ROLLED_BACK
        assert f"the journal could not be written: {error}" in ended.reason
    else:
        # What was done is seen at the next look.
        assert ended.phase is Phase.SUCCEEDED


async def test_what_is_not_in_the_journal_beforehand_is_not_done(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Action] = []
    refuse(site, done.append)

    async def fails(*_given: object, **_named: object) -> int:
        raise OperationalError("INSERT", {}, OSError("database or disk is full"))

    monkeypatch.setattr(actions, "begin", fails)
    await site.start()
    async with site.server():
        for _ in range(200):
            await site.clock.wait(asyncio.Event(), 0.1)
    assert done == []


async def test_only_nodes_that_go_on_by_themselves_are_watched(site: Site) -> None:
    watched: list[NodeLook] = []
    target = target_of(site.new, Strategy.RESTART)

    async def until_changed(look: NodeLook) -> None:
        watched.append(look)
        await asyncio.Event().wait()

    site.fleet.until_changed = until_changed  # type: ignore[method-assign]
    build(site, site.new, start_s=0.5)
    await site.start()
    async with site.server():
        assert (await site.ends()).phase is Phase.SUCCEEDED
    assert {look.name for look in watched} == set(NODES)
    assert {node_phase(look, target) for look in watched} <= WAITING


async def test_hints_that_are_mistakes_stop_neither_time_nor_the_deployment(site: Site) -> None:
    async def until_changed(look: NodeLook) -> None:
        """Return at once, whatever the node looks like."""

    build(site, site.new, start_s=0.5)
    site.fleet.until_changed = until_changed  # type: ignore[method-assign]
    began_s = site.clock.now_s
    await site.start()
    async with site.server():
        assert (await site.ends()).phase is Phase.SUCCEEDED
    assert len(NODES) * 0.5 <= site.clock.now_s - began_s < 30.0


async def test_a_failed_look_is_repeated(site: Site) -> None:
    look = site.fleet.look
    failures: list[object] = []

    async def fails_twice(*, deep: bool, recent: bool = False) -> object:
        if len(failures) < 2:
            failures.append(deep)
            raise OperationalError("SELECT", {}, OSError("disk I/O error"))
        return await look(deep=deep)

    site.fleet.look = fails_twice  # type: ignore[assignment, method-assign]
    await site.start()
    async with site.server():
        assert (await site.ends()).phase is Phase.SUCCEEDED


async def test_a_late_repeated_maint_does_not_remove_a_node_for_good(
    site: Site,
) -> None:
    late: list[Action] = []

    def lasts(action: Action) -> float:
        if action.kind is ActionKind.ADMIT and action.node == "b":
            return 0.1
        if late and action.kind is ActionKind.MAINT and action.node == "b":
            return 0.6  # a HAProxy that is slow to answer
        return 0.005

    site.fleet.lasts = lasts
    await site.start()
    async with site.server():

        async def b_is_admitted() -> bool:
            return any(
                (action.node, action.kind) == ("b", ActionKind.ADMIT)
                for action in site.fleet.actions
            )

        await until(b_is_admitted, _AT_MOST_S, "b is admitted")
        late.append(site.fleet.actions[-1])
        site.fleet.restart_haproxy()
        assert (await site.ends()).phase is Phase.SUCCEEDED
        await until(site.nothing_is_left_open, _AT_MOST_S, "nothing is left open")
    assert site.is_whole(site.new)


async def test_actions_that_a_dead_server_left_open_are_unknown_and_the_deployment_continues(
    site: Site,
) -> None:
    site.fleet.lasts = lambda action: 60.0 if action.kind is ActionKind.STOP else 0.005
    await site.start()
    async with site.server():

        async def it_stops_a() -> bool:
            return any(action.kind == "stop" for action in await site.actions())

        await until(it_stops_a, _AT_MOST_S, "a is being stopped")
    site.fleet.lasts = lambda _act: 0.005
    async with site.server():
        ended = await site.ends()
    assert ended.phase is Phase.SUCCEEDED
    assert site.is_whole(site.new)
    outcomes = [
        action.outcome
        for action in await site.actions()
        if (action.node, action.kind) == ("a", "stop")
    ]
    assert outcomes == ["unknown", "done"]
    assert "the server is back and continues from what it observes" in await site.texts()


@pytest.mark.parametrize("seed", range(6))
async def test_a_server_that_dies_repeatedly_still_finishes_the_deployment(
    site: Site, seed: int
) -> None:
    random = Random(seed)
    is_bad = seed % 2 == 1
    if is_bad:
        build(site, site.new, ok=False)
    await site.start()
    for _ in range(12):
        async with site.server():
            await asyncio.sleep(random.random() * 0.15)  # then it is cut off
    async with site.server():
        ended = await site.ends()
    assert ended.phase is (Phase.ROLLED_BACK if is_bad else Phase.SUCCEEDED)
    assert site.is_whole(site.old if is_bad else site.new)
    assert (await site.stages())["1.1.0"] is (Stage.BAD if is_bad else Stage.LIVE)
    assert site.fleet.violations == []
    assert {action.outcome for action in await site.actions()} <= {"done", "unknown"}


async def test_a_node_that_left_the_configuration_does_not_stop_the_server(site: Site) -> None:
    await site.start()
    async with site.server():

        async def it_rolls() -> bool:
            return (await site.record()).phase is Phase.ROLLING

        await until(it_rolls, _AT_MOST_S, "it is rolling")
    for fleet_part in (site.fleet.nodes, site.fleet.servers):
        del fleet_part["c"]
    site.fleet.policy = Policy(**{**vars(POLICY), "min_healthy": 1})
    async with site.server():
        assert (await site.ends()).phase is Phase.SUCCEEDED
    assert site.is_whole(site.new)


# --- commands, hooks, repairs and the lease ------------------------------------------------------


async def test_a_deployment_is_held_and_continued_by_command(site: Site) -> None:
    site.at_the_stop_of("a", lambda: deploy.command(site.db, "shop", Command.HOLD, "ada"))
    await site.start()
    async with site.server():

        async def it_is_held() -> bool:
            record = await site.record()
            return record.phase is Phase.HOLDING and record.command is None

        await until(it_is_held, _AT_MOST_S, "it is held")
        # The others may have begun to fetch the release, which their users don't notice.
        done = [one for one in site.fleet.actions if one.kind is not ActionKind.FETCH]
        assert {action.node for action in done} == {"a"}
        with pytest.raises(DeploymentError, match="it is already on hold"):
            await deploy.command(site.db, "shop", Command.HOLD, "ada")
        await deploy.command(site.db, "shop", Command.CONTINUE, "ada")
        assert (await site.ends()).phase is Phase.SUCCEEDED
    assert site.is_whole(site.new)


async def test_an_aborted_release_stays_ready(site: Site) -> None:
    site.at_the_stop_of("b", lambda: deploy.command(site.db, "shop", Command.ABORT, "ada"))
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert (ended.phase, ended.reason) == (Phase.ROLLED_BACK, "ada aborted it")
    assert site.is_whole(site.old)
    assert await site.stages() == {"1.0.0": Stage.LIVE, "1.1.0": Stage.READY}


async def test_hooks_run_once_each_and_a_server_that_dies_in_one_does_not_run_it_again(
    site: Site,
) -> None:
    site.hooks = ran = RecordedHooks({}, site.folder, endless=Hook.AFTER)
    hooked = frozenset({Hook.BEFORE, Hook.AFTER})
    site.fleet.policy = Policy(**{**vars(POLICY), "hooks": hooked})
    await site.start()
    async with site.server():

        async def after_runs() -> bool:
            return any(line.startswith("after") for line in ran.lines)

        await until(after_runs, _AT_MOST_S, "the hook after the deployment runs")
    async with site.server():
        ended = await site.ends()
    assert ran.lines == ["before 1.1.0 1.0.0", "after 1.1.0 1.0.0"]
    assert ended.phase is Phase.SUCCEEDED
    assert "the server died while the hook 'after' ran" in ended.reason
    assert ended.receipt is not None
    assert ended.receipt["hooks"] == {"before": "done", "after": "unknown"}


async def test_a_failing_before_hook_stops_everything(site: Site) -> None:
    site.hooks = RecordedHooks({}, site.folder, failing=Hook.BEFORE)
    site.fleet.policy = Policy(**{**vars(POLICY), "hooks": frozenset({Hook.BEFORE})})
    await site.start()
    async with site.server():
        ended = await site.ends()
    assert ended.phase is Phase.ABORTED
    assert ended.reason.startswith("the hook 'before' failed")
    assert site.fleet.actions == []


async def test_a_node_that_was_down_is_brought_to_the_live_release_when_it_returns(
    site: Site,
) -> None:
    site.fleet.policy = Policy(**{**vars(POLICY), "min_healthy": 1})
    site.fleet.nodes["c"].end()
    site.fleet.servers["c"].health = 0
    await site.start()
    async with site.server():
        ended = await site.ends()
        assert (ended.phase, ended.skipped) == (Phase.SUCCEEDED, ("c",))
        site.fleet.nodes["c"].start(site.fleet.clock())

        async def c_is_repaired() -> bool:
            return site.is_whole(site.new)

        await until(c_is_repaired, _AT_MOST_S, "c is repaired")

        async def it_is_written() -> bool:
            async with site.db.read() as connection:
                found = await deployments.newest(connection, "shop", mends=True)
            return [(r.mends, r.phase) for r in found] == [
                ("c", Phase.SUCCEEDED),
                (None, Phase.SUCCEEDED),
            ]

        await until(it_is_written, _AT_MOST_S, "it is written")
    async with site.db.read() as connection:
        assert [r.id for r in await deployments.newest(connection, "shop")] == ["d-1"]
    assert site.fleet.violations == []


@dataclass(frozen=True)
class Lost(SqliteLeadership):
    """A lease that another server has."""

    asked: list[None] = field(default_factory=list)

    async def hold(self) -> bool:
        self.asked.append(None)
        return False

    async def was_asked_often(self) -> bool:
        return len(self.asked) > 2


async def test_a_server_that_does_not_lead_does_and_publishes_nothing(site: Site) -> None:
    site.lead = lead = Lost()
    await site.start()
    async with site.server():
        await until(lead.was_asked_often, _AT_MOST_S, "the lead is checked often")
    assert site.fleet.actions == []
    assert site.states == []
    assert site.fleet.rested, "another server may stop the nodes"
    assert (await site.record()).phase is Phase.PREPARING


@pytest.mark.parametrize(
    ("used_s", "pause_s"), [(0.0, 0.1), (0.03, 0.1), (0.1, 0.3), (0.2, 0.6), (5.0, 1.0)]
)
def test_where_the_loop_has_much_to_do_there_are_fewer_looks(used_s: float, pause_s: float) -> None:
    assert loop.pause_s(used_s) == pytest.approx(pause_s)
