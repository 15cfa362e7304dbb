"""`bigred plan` reads HAProxy and the journal, and changes neither."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from bigred_server.cli import bigred
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.release import Release, Stage
from bigred_server.settings import example
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer

DIGEST = "1" * 64


@pytest.mark.parametrize(("mode", "codes"), [("http", []), ("tcp", ["haproxy-mode"])])
async def test_the_verb_reads_haproxy_and_the_journal_and_changes_neither(
    tmp_path: Path, mode: str, codes: list[str]
) -> None:
    servers = {f"node{number}": FakeServer() for number in range(1, 3)}
    fake = FakeHaproxy(servers, mode=mode)
    socket, state, config = tmp_path / "admin.sock", tmp_path / "state", tmp_path / "bigred.toml"
    text = example().replace("/run/haproxy/admin.sock", str(socket))
    config.write_text(text.replace("/var/lib/bigred", str(state)), encoding="utf-8")
    (state / "releases").mkdir(parents=True)
    (state / "releases" / f"{DIGEST}.war").touch()
    db = await Database.open(state / "bigred.db")
    async with db.write() as connection:
        release = Release("shop", DIGEST, "1.1.0", "1.1.0", Stage.READY, 1.0, author="Ada")
        await releases.add(connection, release)
    await db.close()
    before = rows(state / "bigred.db")
    async with fake.listen(str(socket)):
        arguments = ["plan", "--json", "--config", str(config)]
        done = await asyncio.to_thread(CliRunner().invoke, bigred, arguments)
    found = json.loads(done.output)
    assert (done.exit_code, found["could_begin"], found["release"]) == (0, True, "1.1.0")
    assert [node["name"] for node in found["nodes"]] == list(fake.servers)
    assert [one["code"] for one in found["findings"]] == codes
    assert fake.commands
    assert all(command.startswith("show ") for command in fake.commands), fake.commands
    assert rows(state / "bigred.db") == before


def rows(journal: Path) -> list[str]:
    with closing(sqlite3.connect(journal)) as db:
        return list(db.iterdump())
