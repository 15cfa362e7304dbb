"""A crowd of apps, each with some nodes, behind one real HAProxy with a backend for each app.

The nodes are Tomcats of the farm, in a process of their own. Everything is in one folder.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from zipfile import ZipFile

from tests.support import farm
from tests.support.sockets import listens

from bigred_broker.messages import Phase
from bigred_broker.program import find_program, free_port, running
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage

LIVE, NEXT = "1.0.0", "1.1.0"
_DEADLINE_S = 60.0
_GLOBAL = """global
    maxconn 400
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    timeout check 2s
    option httpchk GET /health
    default-server inter 1s fastinter 200ms fall 2 rise 1 pool-purge-delay 100ms
frontend public
    bind 127.0.0.1:{port}
    default_backend {first}
"""
_SERVER = """[server]
state = "{folder}/state"
[broker]
port = {broker}
[api]
listen = "127.0.0.1:{api}"
"""
_APP = """[apps.{app}]
haproxy = {{ socket = "{folder}/admin.sock", backend = "{app}" }}
marker = {{ path = "/health", read = "header", name = "X-Release" }}
judge = {{ mode = "off" }}
bake = {{ canary_s = 0.0, batch_s = 0.0, last_s = 0.0 }}
"""
_NODE = """[apps.{app}.nodes.{node}]
url = "http://127.0.0.1:{port}"
war = "{war}"
stop = ["rm", "-f", "{running}"]
start = ["cp", "{war}", "{running}"]
running = ["test", "-e", "{running}"]
"""


@dataclass(frozen=True)
class Crowd:
    """`config`: of a server for all apps. `api`: the port of its API."""

    folder: Path
    config: Path
    apps: Sequence[str]
    api: int

    @property
    def socket(self) -> Path:
        """The Runtime API of the HAProxy."""
        return self.folder / "admin.sock"

    @property
    def journal(self) -> Path:
        """The file of the journal."""
        return self.folder / "state" / "bigred.db"


@contextlib.contextmanager
def crowd(folder: Path, apps: int, nodes: int, broker: int = 1883) -> Iterator[Crowd]:
    """Run HAProxy and the nodes of all apps until the block ends; `broker`: the broker's port."""
    names = [f"app{number}" for number in range(apps)]
    up = folder / "running"
    up.mkdir(parents=True)
    wars = {version: _write_war(folder / f"{version}.war", version) for version in (LIVE, NEXT)}
    api = free_port()
    config = _SERVER.format(folder=folder, broker=broker, api=api)
    haproxy = _GLOBAL.format(socket=folder / "admin.sock", port=free_port(), first=names[0])
    for app in names:
        config += _APP.format(app=app, folder=folder)
        haproxy += f"backend {app}\n"
        for number in range(nodes):
            port, war = free_port(), folder / app / f"node{number}" / "webapps" / "app.war"
            war.parent.mkdir(parents=True)
            for place in (war, up / str(port)):
                copyfile(wars[LIVE], place)
            os.utime(up / str(port), (1.0, 1.0))  # up for long
            haproxy += f"    server node{number} 127.0.0.1:{port} check\n"
            config += _NODE.format(
                app=app, node=f"node{number}", port=port, war=war, running=up / str(port)
            )
    (folder / "bigred.toml").write_text(config)
    (folder / "haproxy.cfg").write_text(haproxy)
    site = Crowd(folder, folder / "bigred.toml", names, api)
    with _farm(folder, up), _haproxy(site):
        yield site


async def fill(site: Crowd) -> None:
    """Write the journal: of each app a live release, its deployment, and the next release."""
    store = site.folder / "state" / "releases"
    store.mkdir(parents=True)
    digests = {}
    for version in (LIVE, NEXT):
        war = site.folder / f"{version}.war"
        digests[version] = sha256(war.read_bytes()).hexdigest()
        copyfile(war, store / f"{digests[version]}.war")
    db = await Database.open(site.journal)
    async with db.write() as connection:
        for app in site.apps:
            live = Release(app, digests[LIVE], LIVE, LIVE, Stage.LIVE, 1.0, author="Ada")
            coming = Release(app, digests[NEXT], NEXT, NEXT, Stage.READY, 3.0, author="Ada")
            await releases.add(connection, live)
            await releases.add(connection, coming)
            record = DeploymentRecord(
                f"d-{app}", app, live.digest, None, "Ada", 1.0, phase=Phase.SUCCEEDED, ended_at=2.0
            )
            await deployments.add(connection, record)
    await db.close()


@contextlib.contextmanager
def _farm(folder: Path, up: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log = folder / "farm.log"
    argv = [sys.executable, "-m", "tests.support.farm", str(up)]
    with running("the farm", argv, log, lambda: farm.READY in log.read_text(), _DEADLINE_S) as one:
        yield one


@contextlib.contextmanager
def _haproxy(site: Crowd) -> Iterator[None]:
    argv = [find_program("haproxy", "haproxy"), "-db", "-f", str(site.folder / "haproxy.cfg")]
    log = site.folder / "haproxy.log"
    with running("haproxy", argv, log, lambda: listens(site.socket)):
        yield


def _write_war(path: Path, version: str) -> Path:
    with ZipFile(path, "w") as war:
        war.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        war.writestr("WEB-INF/web.xml", f"<web-app><!-- {version} --></web-app>")
        war.comment = version.encode()
    return path
