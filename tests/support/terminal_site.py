"""A site as the command line sees it: HAProxy and nodes that answer, and a journal in use.

HAProxy and the Tomcats are fakes in a thread of this process. No server runs, but its lock is held,
so that a verb believes in one.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from bigred_broker.messages import Phase
from bigred_server.journal import deployments, lock, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer
from bigred_server.testing.tomcat import FakeTomcat

NODES = ("node1", "node2", "node3", "node4")
LIVE, NEXT = "1.0.0", "1.1.0"
_DEADLINE_S = 10.0
_APP = """[server]
state = "{state}"
[apps.shop]
haproxy = {{ socket = "{socket}", backend = "shop" }}
marker = {{ path = "/shop/health", read = "header", name = "X-Release" }}
"""
_NODE = """[apps.shop.nodes.{name}]
url = "{url}"
war = "{folder}/{name}/shop.war"
stop = ["true"]
start = ["true"]
running = ["true"]
"""


@dataclass(frozen=True)
class TerminalSite:
    """`config`: names everything else. `war`: of no release yet."""

    config: Path
    war: Path


@contextlib.contextmanager
def terminal_site(folder: Path) -> Iterator[TerminalSite]:
    """Make a site in a folder; its fakes answer until the block ends."""
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(_answering(folder / "admin.sock"))
        config, state = folder / "bigred.toml", folder / "state"
        nodes = (
            _NODE.format(name=name, url=url, folder=folder)
            for name, url in zip(NODES, urls, strict=True)
        )
        config.write_text(
            _APP.format(state=state, socket=folder / "admin.sock") + "".join(nodes),
            encoding="utf-8",
        )
        for name in NODES:
            _write_war(folder / name / "shop.war", LIVE)
        asyncio.run(_fill(state))
        stack.enter_context(lock.held(state / "bigred.db"))
        yield TerminalSite(config, _write_war(folder / "new" / "shop.war", "1.2.0"))


@contextlib.contextmanager
def _answering(socket: Path) -> Iterator[list[str]]:
    """Run the fakes in a thread; yield the URLs of the Tomcats."""
    ready: Future[tuple[list[str], asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def answer() -> None:
        over = asyncio.Event()
        async with _fakes(socket) as urls:
            ready.set_result((urls, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(answer()), name="fakes")
    thread.start()
    urls, loop, over = ready.result(_DEADLINE_S)
    try:
        yield urls
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(_DEADLINE_S)


@contextlib.asynccontextmanager
async def _fakes(socket: Path) -> AsyncIterator[list[str]]:
    async with contextlib.AsyncExitStack() as stack:
        haproxy = FakeHaproxy({name: FakeServer() for name in NODES})
        await stack.enter_async_context(haproxy.listen(str(socket)))
        tomcats = [FakeTomcat.of_release(LIVE) for _ in NODES]
        yield [await stack.enter_async_context(tomcat.listen()) for tomcat in tomcats]


async def _fill(state: Path) -> None:
    """Write the journal: a live release, its deployment, and the next release."""
    wars = {version: _write_war(state / f"{version}.war", version) for version in (LIVE, NEXT)}
    digests = {version: sha256(war.read_bytes()).hexdigest() for version, war in wars.items()}
    (state / "releases").mkdir()
    for version, war in wars.items():
        war.rename(state / "releases" / f"{digests[version]}.war")
    live = Release("shop", digests[LIVE], LIVE, LIVE, Stage.LIVE, 1.0, author="Ada")
    coming = Release("shop", digests[NEXT], NEXT, NEXT, Stage.READY, 3.0, author="Ada")
    record = DeploymentRecord(
        "d-1", "shop", live.digest, None, "Ada", 1.0, phase=Phase.SUCCEEDED, ended_at=2.0
    )
    db = await Database.open(state / "bigred.db")
    async with db.write() as connection:
        for release in (live, coming):
            await releases.add(connection, release)
        await deployments.add(connection, record)
    await db.close()


def _write_war(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as war:
        war.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        war.writestr("WEB-INF/web.xml", f"<web-app><!-- {version} --></web-app>")
    return path
