"""Two web servers with the files of a Tomcat behind a real HAProxy, for `init` and `doctor`."""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import forked
from tests.support.web import Web, web

from bigred_broker import mosquitto
from bigred_broker.program import free_port, wait_until
from bigred_broker.settings import BrokerSettings
from bigred_server.haproxy import runtime
from bigred_server.haproxy.configuration import BackendConfig
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

Done = subprocess.CompletedProcess[str]


@dataclass
class CheckedSite:
    """Two servers, each with the files of a Tomcat, behind one HAProxy."""

    folder: Path
    haproxy: HaproxyInstance
    webs: list[Web]
    broker: BrokerSettings

    @property
    def config(self) -> Path:
        return self.folder / "bigred.toml"

    @property
    def socket(self) -> str:
        return str(self.haproxy.admin_socket)

    def ask(self, command: str) -> str:
        return asyncio.run(runtime.command(self.socket, command))

    def bigred(self, *arguments: str) -> Done:
        return forked.run(*arguments, folder=self.folder, environment={"COLUMNS": "100"})

    def init(self, *arguments: str) -> Done:
        return self.bigred("init", str(self.config), "--haproxy", self.socket, *arguments)

    def configure(self) -> None:
        """Correct the guesses, as a person does after `init`."""
        assert self.init("--backend", "shop").returncode == 0
        text = self.config.read_text()
        for name in ("n1", "n2"):
            text = text.replace(f"/var/lib/tomcat10-{name}", str(self.folder / name))
        text = text.replace("/var/lib/bigred", str(self.folder / "state"))
        text = text.replace('"systemctl"', '"true"')
        text = text.replace('path = "/health"', 'path = "/health"\nread = "body"')
        assert "[broker]" not in text
        text += f"\n[broker]\nport = {self.broker.port}\n"
        self.config.write_text(text)

    def findings(self, *arguments: str) -> tuple[int, list[dict[str, str]]]:
        done = self.bigred("doctor", "--json", "--config", str(self.config), *arguments)
        assert done.stderr == ""
        return done.returncode, json.loads(done.stdout)


@contextlib.contextmanager
def checked_site(paths: tuple[tuple[str, str], ...] = ()) -> Iterator[CheckedSite]:
    """Run the site until the block ends; `paths`: of further backends with the same servers."""
    with contextlib.ExitStack() as stack:
        # Not pytest's folder: in a lane, its name is too long for HAProxy's socket.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bigred-doctor-")))
        webs = [stack.enter_context(web(name)) for name in ("n1", "n2")]
        for one in webs:
            TomcatInstance(folder / one.name, one.port).create()
            server_xml = folder / one.name / "conf" / "server.xml"
            server_xml.write_text(server_xml.read_text().replace("${bigred.port}", str(one.port)))
        servers = tuple((one.name, one.port) for one in webs)
        backend = BackendConfig("shop", servers, "/health", maxconn=50, paths=paths)
        haproxy = HaproxyInstance(folder / "haproxy", free_port(), backend)
        stack.enter_context(haproxy.run())
        broker = stack.enter_context(mosquitto.running(folder / "mqtt", free_port()))
        site = CheckedSite(folder, haproxy, webs, broker)
        wait_until(lambda: "L7OK" in site.ask("show stat"), 10, "the checks have passed")
        yield site
