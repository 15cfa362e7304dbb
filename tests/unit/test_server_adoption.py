"""Adoption of what was live before Bigred, so that there is something to roll back to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.support.looks import changed, node_look
from tests.support.wars import bringing

from bigred_server.artifacts.files import digest_of
from bigred_server.artifacts.store import Store
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Admin, Answer, NodeLook
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.settings import MarkerSettings


@dataclass
class Site:
    """Nodes with WARs on the local disk, and a journal."""

    db: Database
    adoption: Adoption
    folder: Path
    wars: dict[str, Path]

    def runs(self, *versions: str) -> dict[str, NodeLook]:
        """Make the nodes run these versions, "" for none, and look at them."""
        return {
            name: self._look(name, path, version)
            for (name, path), version in zip(self.wars.items(), versions, strict=True)
        }

    def _look(self, name: str, path: Path, version: str) -> NodeLook:
        if not version:
            return node_look(name, Admin.READY, digest="", running=False)
        digest = self.war(path, version)
        answer = Answer(True, True, version)
        return node_look(name, Admin.READY, True, True, 0, digest, True, answer)

    def war(self, path: Path, version: str) -> str:
        # Always with the same time, so that the bytes are the same.
        with ZipFile(path, "w") as archive:
            archive.comment = version.encode()
        return digest_of(path)

    async def known(self) -> dict[str, Release]:
        async with self.db.read() as connection:
            return {r.digest: r for r in await releases.of_app(connection, "shop")}

    async def add(self, version: str, stage: Stage) -> Release:
        path = self.folder / "submitted.war"
        digest = self.war(path, version)
        self.adoption.store.put(path)
        made = Release("shop", digest, version, version, stage, float(len(await self.known())))
        async with self.db.write() as connection:
            await releases.add(connection, made)
        return made

    async def previous(self, new: str, *versions: str) -> str | None:
        found = await self.adoption.previous(self.runs(*versions), new, await self.known())
        return found.version if found else None


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.open(tmp_path / "bigred.db")
    wars = {name: tmp_path / f"{name}.war" for name in ("a", "b", "c")}
    store, marker = Store(tmp_path / "releases"), MarkerSettings(path="/")
    adoption = Adoption("shop", database, store, marker, bringing(wars))
    yield Site(database, adoption, tmp_path, wars)
    await database.close()


async def test_the_release_that_all_nodes_run_becomes_live(site: Site) -> None:
    await site.adoption.adopt_unanimous(site.runs("0.9", "0.9", "0.9"))
    [found] = (await site.known()).values()
    assert (found.version, found.stage) == ("0.9", Stage.LIVE)


async def test_nodes_that_differ_or_do_not_answer_are_left_alone(site: Site) -> None:
    await site.adoption.adopt_unanimous(site.runs("0.9", "0.9", "0.8"))
    await site.adoption.adopt_unanimous(site.runs("0.9", "0.9", ""))
    await site.adoption.adopt_unanimous(site.runs("", "", ""))
    await site.adoption.adopt_unanimous({})
    assert await site.known() == {}


async def test_a_release_known_only_by_its_name_is_not_adopted_until_its_bytes_are_known(
    site: Site,
) -> None:
    looks = site.runs("0.9", "0.9", "0.9")
    untold = {name: changed(look, digest=UNKNOWN_DIGEST) for name, look in looks.items()}
    await site.adoption.adopt_unanimous(untold)
    assert await site.known() == {}


async def test_the_rollback_target_is_what_most_nodes_run(site: Site) -> None:
    new = await site.add("1.1.0", Stage.READY)
    assert await site.previous(new.digest, "0.8", "0.9", "0.9") == "0.9"
    assert [r.version for r in (await site.known()).values() if r.stage is Stage.LIVE] == ["0.9"]


async def test_nodes_that_already_have_the_new_release_do_not_count(site: Site) -> None:
    new = await site.add("1.1.0", Stage.READY)
    assert await site.previous(new.digest, "1.1.0", "1.1.0", "0.9") == "0.9"


async def test_if_no_node_answers_the_rollback_target_is_the_live_release(site: Site) -> None:
    await site.add("1.0.0", Stage.LIVE)
    new = await site.add("1.1.0", Stage.READY)
    assert await site.previous(new.digest, "1.1.0", "", "") == "1.0.0"


async def test_a_first_release_has_no_rollback_target(site: Site) -> None:
    new = await site.add("1.0.0", Stage.READY)
    assert await site.previous(new.digest, "", "", "") is None
    assert await site.previous(new.digest, "1.0.0", "", "") is None


async def test_a_bad_release_is_no_rollback_target(site: Site) -> None:
    await site.add("1.0.0", Stage.LIVE)
    await site.add("1.1.0", Stage.BAD)
    new = await site.add("1.2.0", Stage.READY)
    assert await site.previous(new.digest, "1.1.0", "1.1.0", "1.0.0") == "1.0.0"
    assert await site.previous(new.digest, "1.1.0", "1.1.0", "1.1.0") == "1.0.0"


async def test_after_a_failed_first_release_there_is_still_no_rollback_target(
    site: Site,
) -> None:
    await site.add("1.0.0", Stage.BAD)
    new = await site.add("1.0.1", Stage.READY)
    assert await site.previous(new.digest, "1.0.0", "1.0.0", "") is None
