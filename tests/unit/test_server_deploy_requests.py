"""Requests without a button: recorded with who made them, or refused with the reason."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bigred_broker.messages import OUTCOMES, Phase
from bigred_server.artifacts.store import Store
from bigred_server.errors import DeploymentError, ReleaseError, UnknownReleaseError
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.model.command import Command, refusal
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage, candidate
from bigred_server.requests import continuous, deploy
from bigred_server.requests.gates import GateState

FIRST, LIVE, NEXT, LAST = "1" * 64, "2" * 64, "3" * 64, "4" * 64


@dataclass
class Site:
    """A journal with releases of one app, and a store with their WARs."""

    db: Database
    store: Store
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def release(self, digest: str, version: str, stage: Stage, **more: object) -> Release:
        at = float(int(digest[0]))
        made = replace(Release("shop", digest, version, version, stage, at), **more)  # type: ignore[arg-type]
        async with self.db.write() as connection:
            await releases.add(connection, made)
        self.store.folder.mkdir(exist_ok=True)
        self.store.path(digest).touch()
        return made

    async def ran(self, digest: str, **more: object) -> DeploymentRecord:
        """Return a deployment, which runs unless it is given an end."""
        number = next(self.numbers)
        begun = DeploymentRecord(f"d-{number}", "shop", digest, None, "office", number)
        record = replace(begun, **more)  # type: ignore[arg-type]
        async with self.db.write() as connection:
            await deployments.add(connection, record)
        return record

    async def succeeded(self, digest: str, **more: object) -> DeploymentRecord:
        return await self.ran(digest, phase=Phase.SUCCEEDED, ended_at=99.0, **more)

    async def found(self, record: DeploymentRecord) -> DeploymentRecord:
        async with self.db.read() as connection:
            found = await deployments.find(connection, record.id)
        assert found is not None
        return found

    async def event_texts(self, record: DeploymentRecord) -> list[str]:
        async with self.db.read() as connection:
            return [each.text for each in await events.of_deployment(connection, record.id)]

    async def stages(self) -> dict[str, Stage]:
        async with self.db.read() as connection:
            return {r.version: r.stage for r in await releases.of_app(connection, "shop")}

    async def deploys(self, version: str | None = None) -> DeploymentRecord:
        return await deploy.deploy(self.db, self.store, "shop", version, "ada")

    async def rolls_back(self) -> tuple[DeploymentRecord, bool]:
        return await deploy.rollback(self.db, self.store, "shop", "ada")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.open(tmp_path / "bigred.db")
    made = Site(database, Store(tmp_path / "releases"))
    await made.release(FIRST, "1.0.0", Stage.RETIRED)
    await made.release(LIVE, "1.1.0", Stage.LIVE)
    await made.release(NEXT, "1.2.0", Stage.READY)
    yield made
    await database.close()


# --- commands ------------------------------------------------------------------------------------

RUNNING = [phase for phase in Phase if phase not in OUTCOMES]
CASES = list(itertools.product(RUNNING, [None, *Command], Command))


@pytest.mark.parametrize(("phase", "pending", "command"), CASES)
async def test_a_command_is_recorded_with_who_asked_or_changes_nothing(
    site: Site, phase: Phase, pending: Command | None, command: Command
) -> None:
    before = await site.ran(NEXT, phase=phase, command=pending, commanded_by="bob")
    no = refusal(phase, pending, command)
    if no:
        with pytest.raises(DeploymentError, match=f"deployment d-1 of shop can't be .*: {no}"):
            await deploy.command(site.db, "shop", command, "ada")
        assert await site.found(before) == before
        assert await site.event_texts(before) == []
        return
    assert (await deploy.command(site.db, "shop", command, "ada")).id == before.id
    assert await site.found(before) == replace(before, command=command, commanded_by="ada")
    [text] = await site.event_texts(before)
    assert text.startswith("ada asked to ")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (Command.HOLD, "can't be held: it is being rolled back"),
        (Command.CONTINUE, "can't be continued: it is being rolled back"),
        (Command.ROLLBACK, "can't be rolled back: it is being rolled back"),
        (Command.ABORT, "can't be aborted: it is being rolled back"),
    ],
)
async def test_a_refused_command_says_why(site: Site, command: Command, sentence: str) -> None:
    await site.ran(NEXT, phase=Phase.ROLLING_BACK)
    with pytest.raises(DeploymentError, match=sentence):
        await deploy.command(site.db, "shop", command, "ada")


@pytest.mark.parametrize("command", Command)
async def test_without_a_running_deployment_there_is_nothing_to_command(
    site: Site, command: Command
) -> None:
    await site.succeeded(LIVE)
    with pytest.raises(DeploymentError, match="no deployment of shop is running"):
        await deploy.command(site.db, "shop", command, "ada")


async def test_of_two_who_give_the_same_command_one_learns_that_it_is_given(site: Site) -> None:
    record = await site.ran(NEXT, phase=Phase.ROLLING)
    asked = (deploy.command(site.db, "shop", Command.HOLD, who) for who in ("ada", "bob"))
    done = await asyncio.gather(*asked, return_exceptions=True)
    [refused] = [each for each in done if isinstance(each, DeploymentError)]
    assert str(refused).endswith("can't be held: it is already on hold")
    assert len(await site.event_texts(record)) == 1


@pytest.mark.parametrize("command", Command)
async def test_a_repair_accepts_no_command_and_says_what_it_is(
    site: Site, command: Command
) -> None:
    mend = await site.ran(LIVE, phase=Phase.ROLLING, mends="node2")
    with pytest.raises(DeploymentError, match="it only brings node2 back to the live release"):
        await deploy.command(site.db, "shop", command, "ada")
    with pytest.raises(DeploymentError, match="it only brings node2 back to the live release"):
        await site.rolls_back()
    assert await site.found(mend) == mend


# --- deploying -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "digest"), [(None, NEXT), ("1.2.0", NEXT), ("1.0.0", FIRST), ("1" * 8, FIRST)]
)
async def test_a_release_is_deployed_by_its_version_or_the_beginning_of_its_digest(
    site: Site, named: str | None, digest: str
) -> None:
    record = await site.deploys(named)
    assert (record.digest, record.who, record.phase) == (digest, "ada", Phase.PREPARING)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("9.9", "no release 9.9 of shop; available: 1.2.0, 1.1.0, 1.0.0"),
        ("1.2", "no release 1.2 of shop; "),
        ("3" * 7, "no release 3333333 of shop; "),
        ("1.1.0", "shop 1.1.0 is already live"),
    ],
)
async def test_a_release_that_cannot_be_deployed_is_refused(
    site: Site, named: str, sentence: str
) -> None:
    with pytest.raises((DeploymentError, UnknownReleaseError)) as caught:
        await site.deploys(named)
    assert sentence in str(caught.value)


async def test_an_ambiguous_digest_names_no_release(site: Site) -> None:
    await site.release("3" * 63 + "4", "1.3.0", Stage.READY)
    with pytest.raises(
        UnknownReleaseError, match=r"33333333 begins the SHA-256 .*give more digits"
    ):
        await site.deploys("3" * 8)
    assert (await site.deploys("3" * 64)).digest == NEXT


async def test_a_bad_release_is_refused_with_how_to_clear_it(site: Site) -> None:
    await site.release(LAST, "1.3.0", Stage.BAD)
    with pytest.raises(DeploymentError, match=r"shop 1.3.0 is bad: .*bigred release clear 1.3.0"):
        await site.deploys("1.3.0")
    await site.deploys("1.2.0")


async def test_if_the_newest_is_bad_and_none_is_ready_the_refusal_says_how_to_clear_it(
    site: Site,
) -> None:
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", NEXT, Stage.BAD)
    with pytest.raises(DeploymentError, match=r"is ready .*: 1.2.0 is bad; .*release clear 1.2.0"):
        await site.deploys()


async def test_a_release_without_its_war_is_refused_before_anything_starts(site: Site) -> None:
    site.store.path(FIRST).unlink()
    for wish in (site.deploys("1.0.0"), site.rolls_back()):
        with pytest.raises(
            DeploymentError, match=r"shop 1\.0\.0 is no longer in .*submit it again"
        ):
            await wish
    async with site.db.read() as connection:
        assert await deployments.running(connection, "shop") is None


@pytest.mark.parametrize(
    ("mends", "sentence"),
    [
        (None, r"deployment d-1 of shop by office is running \(rolling\); follow it"),
        ("node2", r"is running \(rolling\): it only brings node2 back to the live release"),
    ],
)
async def test_nothing_is_deployed_while_a_deployment_or_a_repair_runs(
    site: Site, mends: str | None, sentence: str
) -> None:
    await site.ran(LIVE, phase=Phase.ROLLING, mends=mends)
    with pytest.raises(DeploymentError, match=sentence):
        await site.deploys()


# --- rolling back --------------------------------------------------------------------------------


async def test_a_running_deployment_is_rolled_back_without_starting_a_new_one(site: Site) -> None:
    record = await site.ran(NEXT, phase=Phase.CANARY)
    asked, was_running = await site.rolls_back()
    assert (asked.id, was_running) == (record.id, True)
    found = await site.found(record)
    assert (found.command, found.commanded_by) == (Command.ROLLBACK, "ada")
    assert await site.event_texts(record) == ["ada asked to roll it back"]


async def test_the_live_release_is_rolled_back_by_deploying_the_previous_one(
    site: Site,
) -> None:
    await site.succeeded(LIVE, previous=FIRST)
    record, was_running = await site.rolls_back()
    assert not was_running
    assert (record.digest, record.takes_back) == (FIRST, LIVE)


async def test_a_repair_of_the_live_release_does_not_hide_what_was_live_before(site: Site) -> None:
    await site.release(LAST, "0.9.0", Stage.RETIRED, submitted_at=9.0)
    await site.succeeded(LIVE, previous=FIRST)
    await site.succeeded(LIVE, previous=LAST, mends="node2")
    record, _ = await site.rolls_back()
    assert record.digest == FIRST


@pytest.mark.parametrize(
    ("cleared", "digest"), [(False, None), (True, FIRST)], ids=["bad", "cleared"]
)
async def test_there_is_no_rollback_target_to_a_bad_release_until_it_is_cleared(
    site: Site, cleared: bool, digest: str | None
) -> None:
    await site.succeeded(LIVE, previous=FIRST)
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", FIRST, Stage.BAD)
    with pytest.raises(DeploymentError, match=r"1.0.0 is bad; .*bigred release clear 1.0.0"):
        await site.rolls_back()
    if cleared:
        await deploy.clear(site.db, "shop", "1.0.0", "ada")
        assert (await site.rolls_back())[0].digest == digest


# --- clearing ------------------------------------------------------------------------------------


async def test_a_cleared_release_is_ready_and_its_bad_deployment_names_who_cleared_it(
    site: Site,
) -> None:
    await site.release(LAST, "1.3.0", Stage.BAD)
    made_bad = await site.ran(LAST, phase=Phase.ROLLED_BACK, blames_build=True, ended_at=5.0)
    cleared = await deploy.clear(site.db, "shop", "1.3.0", "ada")
    assert (cleared.version, cleared.stage) == ("1.3.0", Stage.READY)
    assert (await site.stages())["1.3.0"] is Stage.READY
    assert await site.event_texts(made_bad) == [
        "ada cleared 1.3.0: it is ready to be deployed again"
    ]


async def test_a_release_rolled_back_when_live_records_its_clearing_there(site: Site) -> None:
    await site.release(LAST, "1.3.0", Stage.BAD)
    brought = await site.succeeded(LAST)
    taken_back = await site.succeeded(LIVE, takes_back=LAST)
    await deploy.clear(site.db, "shop", LAST[:8], "ada")
    assert await site.event_texts(brought) == []
    assert len(await site.event_texts(taken_back)) == 1


@pytest.mark.parametrize(
    ("submitted_at", "is_next"), [(9.0, True), (1.5, False)], ids=["newer", "older"]
)
async def test_a_cleared_release_is_the_candidate_only_if_it_is_newer_than_the_live_one(
    site: Site, submitted_at: float, is_next: bool
) -> None:
    await site.release(LAST, "1.3.0", Stage.BAD, submitted_at=submitted_at)
    await deploy.clear(site.db, "shop", "1.3.0", "ada")
    async with site.db.read() as connection:
        chosen = candidate(await releases.of_app(connection, "shop"))
    assert chosen is not None
    assert (chosen.version == "1.3.0") is is_next
    assert (await site.deploys("1.3.0")).digest == LAST


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.BAD])
async def test_only_a_bad_release_can_be_cleared(site: Site, stage: Stage) -> None:
    await site.release(LAST, "1.3.0", stage)
    before = await site.stages()
    with pytest.raises(ReleaseError, match=f"shop 1.3.0 is {stage}, not bad: there is nothing"):
        await deploy.clear(site.db, "shop", "1.3.0", "ada")
    assert await site.stages() == before


# --- continuous deployment -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started_at", "phase", "is_due"),
    [
        (2.5, Phase.SUCCEEDED, True),
        (3.5, Phase.ABORTED, False),
        (3.5, Phase.ROLLED_BACK, False),
    ],
    ids=["was live before the branch went back", "aborted", "cleared after a rollback"],
)
async def test_a_release_is_deployed_by_itself_once_for_each_push(
    site: Site, started_at: float, phase: Phase, is_due: bool
) -> None:
    await site.ran(NEXT, started_at=started_at, phase=phase, ended_at=99.0)
    async with site.db.read() as connection:
        found = await continuous.due(connection, "shop")
    assert (found is not None) is is_due


@dataclass(frozen=True)
class Open:
    """An app whose gates are open."""

    nodes: int = 3
    countdown_s: float = 0.0

    async def look(self) -> "Open":
        return self

    async def state(self, db: AsyncConnection) -> GateState:
        known = await releases.of_app(db, "shop")
        return GateState("shop", known, healthy=3, total=3, min_healthy=2)


@dataclass(frozen=True)
class Lead(SqliteLeadership):
    """The leadership of the only server. `asked`: set once it was asked for."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> bool:
        self.asked.set()
        return True


async def test_a_release_is_deployed_as_soon_as_it_is_ready(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuous, "_EVERY_S", 60.0)
    started, lead = asyncio.Queue[str](), Lead()
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", NEXT, Stage.BAD)
    loop = continuous.Continuous("shop", site.db, site.store, Open(), lead, started.put_nowait)
    running = asyncio.create_task(loop.run())
    try:
        async with asyncio.timeout(10.0):
            await lead.asked.wait()
            async with site.db.write() as connection:
                await releases.set_stage(connection, "shop", NEXT, Stage.READY)
            loop.wake()
            assert await started.get() == "shop"
    finally:
        running.cancel()
        await asyncio.wait([running])
    async with site.db.read() as connection:
        begun = await deployments.running(connection, "shop")
    assert begun is not None
    assert (begun.digest, begun.who) == (NEXT, continuous.WHO)
