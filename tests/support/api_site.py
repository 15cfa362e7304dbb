"""A deploy server with its HTTP API, as on a site; no HAProxy, broker or Tomcat is there."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from tests.support import forked, tokens
from tests.support.forked import Forked

from bigred_broker.messages import Phase
from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.artifacts.store import Store
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.api_token import Role
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage

DEADLINE_S = 30.0
WEBHOOK_SECRET = "of-the-webhook"  # noqa: S105
_STAGES = (Stage.RETIRED, Stage.LIVE, Stage.READY, Stage.BAD)


def bearer(role: str) -> dict[str, str]:
    """Return the header with the token of a role."""
    return {"Authorization": f"Bearer secret-of-{role}"}


@dataclass
class ApiSite:
    """A server with a configuration of its own, and a token for each role."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def config(self) -> Path:
        """The file."""
        return self.folder / "bigred.toml"

    def write(self, *, listen: bool = True, api: str = "", app: str = "") -> None:
        """Write the configuration, and add a token for each role.

        `api` and `app`: more lines for their tables.
        """
        listens = f'listen = "127.0.0.1:{self.port}"\n' if listen else ""
        self.config.write_text(
            f"""
[server]
state = "{self.folder}/state"
[broker]
port = {free_port()}
[api]
{listens}{api}
[apps.shop]
haproxy = {{ socket = "{self.folder}/none", backend = "shop" }}
marker = {{ path = "/" }}
[apps.shop.nodes.node1]
url = "http://127.0.0.1:{free_port()}"
war = "{self.folder}/webapps/shop.war"
stop = ["true"]
start = ["true"]
running = ["true"]
{app}
"""
        )
        journal = self.folder / "state" / "bigred.db"
        if not journal.exists():
            tokens.put(journal, {f"secret-of-{role}": role for role in Role})

    def fill(self) -> None:
        """Put releases of every kind, and a deployment that has ended, into the journal."""
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        state = self.folder / "state"
        store = Store(state / "releases")
        store.folder.mkdir(parents=True, exist_ok=True)
        database = await Database.open(state / "bigred.db")
        digests = [str(number) * 64 for number, _ in enumerate(_STAGES)]
        async with database.write() as db:
            for number, (digest, stage) in enumerate(zip(digests, _STAGES, strict=True)):
                version = f"1.{number}.0"
                await releases.add(
                    db, Release("shop", digest, version, version, stage, float(number))
                )
                store.path(digest).touch()
            ended = DeploymentRecord(
                "d-1", "shop", digests[1], digests[0], "ada", 1.0, 0.0, Phase.SUCCEEDED,
                nodes=("node1",), ended_at=2.5, receipt={"requests": 7},
            )  # fmt: skip
            await deployments.add(db, ended)
        await database.close()

    def bigred(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return forked.run(*arguments, folder=self.folder, deadline_s=DEADLINE_S)

    def log(self) -> str:
        """Return what the server has logged so far."""
        file = self.folder / "server.log"
        return file.read_text() if file.exists() else ""

    @contextlib.contextmanager
    def server(self) -> Iterator[Forked]:
        """Run the server until the block ends."""
        arguments = ("server", "--config", str(self.config))
        ready = "the server is running"
        with forked.running(
            "server", arguments, self.folder / "server.log", lambda: ready in self.log()
        ) as child:
            yield child

    @contextlib.contextmanager
    def listening(self) -> Iterator[Forked]:
        """Run the server until the block ends, which begins once the API has answered."""
        with self.server() as child, self.http() as http:
            wait_until(lambda: is_listening(self.port), DEADLINE_S, "it listens")
            # Its port is open before it can answer.
            http.get("/healthz", headers={"Connection": "close"}).raise_for_status()
            yield child

    def http(self, role: str = "operator") -> httpx2.Client:
        """Return a client with the token of a role."""
        return httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers=bearer(role), timeout=DEADLINE_S
        )
