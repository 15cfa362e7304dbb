"""Commands from a terminal: to a running deployment, and for the management of releases.

The journal is locked as by a server, but nothing carries out the commands.
"""

import asyncio
import json
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support import forked
from tests.support.forked import Forked

from bigred_broker.messages import Phase
from bigred_broker.program import wait_until
from bigred_server.artifacts import intake
from bigred_server.artifacts.intake import Submission
from bigred_server.artifacts.store import Store
from bigred_server.journal import deployments, lock, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Stage
from bigred_server.settings import MarkerSettings

DEADLINE_S = 30.0

CONFIG = """
[server]
state = "{folder}/state"
[apps.shop]
keep = 1
haproxy = {{ socket = "{folder}/none", backend = "shop" }}
marker = {{ path = "/" }}
[apps.shop.nodes.node1]
url = "http://127.0.0.1:1"
war = "/srv/webapps/shop.war"
stop = ["true"]
start = ["true"]
running = ["true"]
"""


@dataclass
class Gateway:
    """A person's folder, with releases submitted as 1.0.0, 1.1.0 and so on."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def bigred(self, *arguments: str, code: int = 0) -> str:
        done = forked.run(*arguments, folder=self.folder, deadline_s=DEADLINE_S)
        assert done.returncode == code, done.stdout + done.stderr
        if code == 1 and done.stderr:
            assert done.stderr.startswith("bigred: ")
            assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.removeprefix("bigred: ").rstrip() if done.stderr else done.stdout

    def submit(self, *stages: Stage) -> list[str]:
        """Submit releases and set these stages; return their digests."""
        return asyncio.run(self._submit(stages))

    async def _submit(self, stages: tuple[Stage, ...]) -> list[str]:
        digests = []
        async with self.journal() as db:
            for number, stage in enumerate(stages):
                submission = Submission(
                    "shop", self.war(str(number)), f"1.{number}.0", author="Ada"
                )
                store = Store(self.state / "releases")
                release, _ = await intake.submit(db, store, MarkerSettings(path="/"), submission)
                digests.append(release.digest)
                async with db.write() as connection:
                    await releases.set_stage(connection, "shop", release.digest, stage)
        return digests

    def war(self, content: str) -> Path:
        path = self.folder / "shop.war"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("WEB-INF/index.html", content)
        return path

    @asynccontextmanager
    async def journal(self) -> AsyncIterator[Database]:
        db = await Database.open(self.state / "bigred.db")
        try:
            yield db
        finally:
            await db.close()

    def deployment(self, digest: str, number: str = "d-1", **more: object) -> None:
        record = replace(DeploymentRecord(number, "shop", digest, None, "office", 1.0), **more)  # type: ignore[arg-type]

        async def add() -> None:
            async with self.journal() as db, db.write() as connection:
                await deployments.add(connection, record)

        asyncio.run(add())

    def ends(self, phase: Phase) -> None:
        async def end() -> None:
            async with self.journal() as db, db.write() as connection:
                await deployments.change(connection, "d-1", phase=phase, ended_at=2.0)

        asyncio.run(end())

    @contextmanager
    def server(self) -> Iterator[None]:
        with lock.held(self.state / "bigred.db"):
            yield

    def kept(self) -> set[str]:
        return {file.stem for file in (self.state / "releases").iterdir()}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    (tmp_path / "bigred.toml").write_text(CONFIG.format(folder=tmp_path))
    return Gateway(tmp_path)


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "phase", "said"),
    [
        ("hold", Phase.ROLLING, "will be held once the nodes being updated are finished"),
        ("continue", Phase.HOLDING, "continues"),
        (
            "abort",
            Phase.CANARY,
            "is being aborted: every node goes back, and the release stays ready",
        ),
    ],
)
def test_a_command_reports_its_effect_and_the_journal_names_who_gave_it(
    gateway: Gateway, verb: str, phase: Phase, said: str
) -> None:
    [digest] = gateway.submit(Stage.READY)
    gateway.deployment(digest, phase=phase)
    with gateway.server():
        assert gateway.bigred(verb).startswith(f"deployment d-1 of shop {said}")
    shown = json.loads(gateway.bigred("show", "d-1", "--json"))
    assert shown["command"] == verb
    assert shown["commanded_by"]
    assert shown["events"][0]["text"].startswith(f"{shown['commanded_by']} asked to ")


def test_show_prints_the_receipt_alone_if_asked(gateway: Gateway) -> None:
    [digest] = gateway.submit(Stage.READY)
    gateway.deployment(digest, phase=Phase.ROLLING)
    with gateway.server():
        gateway.bigred("hold")
    assert len(gateway.bigred("show").splitlines()) == 2
    assert gateway.bigred("show", "--receipt") == "d-1: rolling\n"
    assert gateway.bigred("show", "--receipt", "--json") == "null\n"


@pytest.mark.parametrize(
    ("verb", "phase", "mends", "said"),
    [
        ("hold", Phase.HOLDING, None, "can't be held: it is already on hold"),
        ("continue", Phase.ROLLING, None, "can't be continued: it is not on hold"),
        ("abort", Phase.ROLLING_BACK, None, "can't be aborted: it is being rolled back, which"),
        ("rollback", Phase.ROLLING_BACK, None, "can't be rolled back: it is being rolled back"),
        ("hold", Phase.ROLLING, "node1", "can't be held: it only brings node1 back to the live"),
    ],
)
def test_an_impossible_command_is_refused_with_the_reason(
    gateway: Gateway, verb: str, phase: Phase, mends: str | None, said: str
) -> None:
    [digest] = gateway.submit(Stage.READY)
    gateway.deployment(digest, phase=phase, mends=mends)
    with gateway.server():
        assert gateway.bigred(verb, code=1).startswith(f"deployment d-1 of shop {said}")


@pytest.mark.parametrize("verb", ["hold", "continue", "abort"])
def test_without_a_running_deployment_a_command_says_so(gateway: Gateway, verb: str) -> None:
    gateway.submit(Stage.LIVE)
    with gateway.server():
        said = gateway.bigred(verb, code=1)
    assert said == "no deployment of shop is running; see: bigred history"


@pytest.mark.parametrize(
    ("verb", "end", "code"),
    [
        ("continue", Phase.SUCCEEDED, 0),
        ("continue", Phase.ROLLED_BACK, 1),
        ("abort", Phase.ABORTED, 0),
        ("abort", Phase.ROLLED_BACK, 0),
        ("abort", Phase.FAILED, 1),
    ],
)
def test_a_followed_command_exits_like_the_deployment(
    gateway: Gateway, verb: str, end: Phase, code: int
) -> None:
    [digest] = gateway.submit(Stage.READY)
    gateway.deployment(digest, phase=Phase.HOLDING)
    with gateway.server():
        output = gateway.folder / "output"
        child = Forked((verb, "--follow"), output, output, gateway.folder)
        wait_until(lambda: output.exists() and "\n" in output.read_text(), DEADLINE_S, "a line")
        assert output.read_text().startswith("deployment d-1 of shop ")
        gateway.ends(end)
        assert child.wait(DEADLINE_S) == code
    assert f"d-1: {end.replace('_', ' ')}" in output.read_text()


def test_history_includes_repairs_only_on_request(gateway: Gateway) -> None:
    [digest] = gateway.submit(Stage.LIVE)
    gateway.deployment(digest, "d-1", phase=Phase.SUCCEEDED, ended_at=2.0)
    gateway.deployment(digest, "d-2", phase=Phase.SUCCEEDED, ended_at=2.0, mends="node1")
    assert "d-2" not in gateway.bigred("history")
    assert "1.0.0 on node1" in gateway.bigred("history", "--mends")


# --- releases ------------------------------------------------------------------------------------


def test_releases_are_listed_with_their_stages(gateway: Gateway) -> None:
    assert gateway.bigred("release", "list") == (
        "no releases of shop yet; submit one with: bigred submit\n"
    )
    first, _ = gateway.submit(Stage.RETIRED, Stage.LIVE)
    (gateway.state / "releases" / f"{first}.war").unlink()
    heading, *rows = gateway.bigred("release", "list").splitlines()
    assert heading.split() == (
        "version stage SHA-256 size submitted author commit kept".split()  # noqa: SIM905
    )
    assert [(row.split()[0], row.split()[1], row.split()[-1]) for row in rows] == [
        ("1.1.0", "live", "yes"),
        ("1.0.0", "retired", "no"),
    ]
    assert first[:8] in rows[1]
    listed = json.loads(gateway.bigred("release", "list", "--json"))
    assert [(each["version"], each["kept"]) for each in listed] == [
        ("1.1.0", True),
        ("1.0.0", False),
    ]


def test_a_release_is_shown_with_every_deployment_of_it(gateway: Gateway) -> None:
    digest, _ = gateway.submit(Stage.LIVE, Stage.READY)
    assert gateway.bigred("release", "show", "1.1.0").endswith("it was never deployed\n")
    gateway.deployment(digest, phase=Phase.SUCCEEDED, ended_at=2.0)
    shown = gateway.bigred("release", "show", digest[:8])
    assert shown.startswith("shop 1.0.0 is live\n")
    assert digest in shown
    assert "d-1" in shown
    everything = json.loads(gateway.bigred("release", "show", "1.0.0", "--json"))
    assert [each["id"] for each in everything["deployments"]] == ["d-1"]


@pytest.mark.parametrize("verb", ["show", "clear"])
@pytest.mark.parametrize("name", ["1.0", "9.9.9", "abc"])
def test_a_release_is_named_completely(gateway: Gateway, verb: str, name: str) -> None:
    gateway.submit(Stage.BAD)
    said = gateway.bigred("release", verb, name, code=1)
    assert said == f"no release {name} of shop; available: 1.0.0"


def test_foreign_text_has_no_effect_on_the_terminal(gateway: Gateway) -> None:
    gateway.submit(Stage.READY)
    war = str(gateway.war("evil"))
    evil = "\x1b]0;mine\x07Eve\nand more"
    gateway.bigred("submit", war, "-V", "2.0", "--author", evil, "-m", evil)
    for said in (gateway.bigred("release", "list"), gateway.bigred("release", "show", "2.0")):
        assert "\x1b" not in said
        assert "\x07" not in said
    assert len(gateway.bigred("release", "list").splitlines()) == 3


def test_a_bad_release_is_deployed_again_only_after_a_person_cleared_it(gateway: Gateway) -> None:
    _, digest = gateway.submit(Stage.LIVE, Stage.BAD)
    gateway.deployment(digest, phase=Phase.ROLLED_BACK, blames_build=True, ended_at=2.0)
    with gateway.server():
        said = gateway.bigred("deploy", "1.1.0", "--no-wait", code=1)
        assert said == (
            "shop 1.1.0 is bad: it was rolled back; clear it with: bigred release clear 1.1.0"
        )
        assert gateway.bigred("release", "clear", "1.1.0") == "shop 1.1.0 is ready again\n"
        assert "cleared 1.1.0: it is ready to be deployed again" in gateway.bigred("show", "d-1")
        again = gateway.bigred("release", "clear", "1.1.0", code=1)
        assert again == "shop 1.1.0 is ready, not bad: there is nothing to clear"
        assert "has begun" in gateway.bigred("deploy", "1.1.0", "--no-wait")


def test_pruning_lists_what_it_removes_and_keeps_what_is_needed(gateway: Gateway) -> None:
    stages = (Stage.RETIRED,) * 4 + (Stage.LIVE, Stage.READY)
    digests = gateway.submit(*stages)
    gateway.deployment(digests[0], phase=Phase.ROLLING)
    # Live 1.4.0, next 1.5.0, rollback target 1.3.0, running 1.0.0, and one more by keep = 1: 1.2.0.
    dry = gateway.bigred("release", "prune", "--dry-run")
    assert "shop 1.1.0" in dry
    assert "would be freed" in dry
    assert gateway.kept() == set(digests)
    printed = gateway.bigred("release", "prune")
    assert [line.split()[-2:] for line in printed.splitlines()] == [
        ["shop", "1.1.0"],
        ["are", "freed"],
    ]
    assert gateway.kept() == set(digests) - {digests[1]}
    assert gateway.bigred("release", "prune") == "nothing to remove\n"


def test_a_pruned_release_is_refused_before_anything_starts(gateway: Gateway) -> None:
    digests = gateway.submit(Stage.RETIRED, Stage.RETIRED, Stage.RETIRED, Stage.LIVE)
    gateway.bigred("release", "prune")
    assert gateway.kept() == set(digests[1:])
    with gateway.server():
        said = gateway.bigred("deploy", "1.0.0", code=1)
        assert said.startswith("the WAR of shop 1.0.0 is no longer in ")
        assert said.endswith("submit it again")
        assert gateway.bigred("history").startswith("no deployments yet")


# --- tokens --------------------------------------------------------------------------------------


def test_a_token_is_shown_once_and_stored_nowhere(gateway: Gateway) -> None:
    create = ("token", "create", "ada", "--role", "operator")
    made = [forked.run(*create, folder=gateway.folder, deadline_s=DEADLINE_S) for _ in range(2)]
    # So that it can be sent to a file.
    secrets = [done.stdout.removesuffix("\n") for done in made]
    assert secrets[0] != secrets[1]
    assert all(re.fullmatch(r"bigred_\S{43}", secret) for secret in secrets)
    assert all("it is valid until" in done.stderr for done in made)
    for file in (gateway.folder / "state").rglob("*"):
        if file.is_file():
            stored = file.read_bytes()
            assert not any(secret.encode() in stored for secret in secrets)
    known = json.loads(gateway.bigred("token", "list", "--json"))
    assert [(one["name"], one["role"], one["used_at"]) for one in known] == [
        ("ada", "operator", None)
    ] * 2


def test_all_tokens_of_a_person_are_revoked_at_once(gateway: Gateway) -> None:
    for name in ("ada", "ada", "linus"):
        gateway.bigred("token", "create", name, "--expires", "never")
    assert gateway.bigred("token", "revoke", "ada").count("revoked token") == 2
    [left] = json.loads(gateway.bigred("token", "list", "--json"))
    assert (left["name"], left["expires_at"]) == ("linus", None)
    said = gateway.bigred("token", "revoke", "ada", code=1)
    assert said.startswith("no token or owner of one is named 'ada'")


@pytest.mark.parametrize("time", ["", "0d", "-1d", "1", "1y", "d", "1.5d", "99999999d", "1d\n"])
def test_a_lifetime_that_is_none_is_refused(gateway: Gateway, time: str) -> None:
    said = gateway.bigred("token", "create", "ada", "--expires", time, code=2)
    assert "is not a time such as 12h, 30d, 52w or never" in said
    assert gateway.bigred("token", "list").startswith("no tokens;")


def test_a_token_needs_a_valid_name(gateway: Gateway) -> None:
    said = gateway.bigred("token", "create", "Ada Lovelace", code=1)
    assert said.startswith("'Ada Lovelace' is not a valid name for a token; use 1 to 32 of a-z")
