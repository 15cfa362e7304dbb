"""A rolling deployment as a careful person scripts it: no journal, no plan, no way back.

It is what Bigred's rollout is measured against. Every wait ends as soon as what it waits for is
there, so a script of shell commands would rather be slower.
"""

import base64
import csv
import http
import http.client
import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.support import neighbours

from bigred_broker.program import ProgramError, wait_until
from bigred_server.demo.config import APP
from bigred_server.haproxy import rows
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

_DEADLINE_S = 60.0


@dataclass(frozen=True)
class ByHand:
    """The site, and the release to deploy: its WAR, and the version that it reports."""

    haproxy: HaproxyInstance
    nodes: dict[str, TomcatInstance]
    war: Path
    version: str

    def roll(self, update: Callable[[str], None], at_a_time: int = 1) -> None:
        """Update all nodes, as many at a time; raise what went wrong at one."""
        with ThreadPoolExecutor(at_a_time) as threads:
            for done in [threads.submit(update, name) for name in self.nodes]:
                done.result()

    def restart(self, name: str) -> None:
        """Out of HAProxy, stop, swap the WAR, start, and back."""
        tomcat = self.nodes[name]
        self._take_out(name)
        _run(tomcat.stop_command)
        shutil.copyfile(self.war, tomcat.webapps / f"{APP}.war")
        _run(tomcat.start_command)
        self._bring_back(name)

    def redeploy(self, name: str) -> None:
        """Let the Manager replace the app while its users are elsewhere."""
        self._take_out(name)
        self.put(name)
        self._bring_back(name)

    def put(self, name: str, version: str = "") -> None:
        """Upload the WAR to the Manager, and nothing else; with a `version` beside the others."""
        query = {"path": f"/{APP}"} | ({"version": version} if version else {"update": "true"})
        _manager(self.nodes[name], "PUT", "deploy", query, self.war.read_bytes())

    def undeploy(self, name: str, version: str) -> None:
        """Remove a version that `put` has brought."""
        _manager(self.nodes[name], "GET", "undeploy", {"path": f"/{APP}", "version": version}, b"")

    def _take_out(self, name: str) -> None:
        self._set(name, "maint")
        wait_until(
            lambda: self._row(name)["scur"] == self._row(name)["qcur"] == "0",
            _DEADLINE_S,
            f"{name} has no request",
        )

    def _bring_back(self, name: str) -> None:
        tomcat = self.nodes[name]
        wait_until(
            lambda: _release(tomcat) == self.version,
            _DEADLINE_S,
            f"{name} answers as {self.version}",
        )
        # From MAINT directly to READY, HAProxy would send users before its first check.
        self._set(name, "drain")
        wait_until(
            lambda: rows.is_fresh(self._row(name)) is True, _DEADLINE_S, f"{name} passes its check"
        )
        self._set(name, "ready")

    def _set(self, name: str, state: str) -> None:
        answer = neighbours.ask(self.haproxy, f"set server {APP}/{name} state {state}").strip()
        if answer:
            raise ProgramError(f"HAProxy refuses {state} for {name}: {answer}")

    def _row(self, name: str) -> dict[str, str]:
        lines = neighbours.ask(self.haproxy, "show stat").removeprefix("# ").splitlines()
        table: Iterable[dict[str, str]] = csv.DictReader(lines)
        return next(row for row in table if (row["pxname"], row["svname"]) == (APP, name))


def _release(tomcat: TomcatInstance) -> str:
    """Return the release that a node reports, "" without an answer; cheap enough to ask often."""
    line = http.client.HTTPConnection("127.0.0.1", tomcat.port, timeout=_DEADLINE_S)
    try:
        line.request("GET", f"/{APP}/health")
        answer = line.getresponse()
    except (OSError, http.client.HTTPException):
        return ""
    else:
        return answer.getheader("X-Release", "") if answer.status == http.HTTPStatus.OK else ""
    finally:
        line.close()


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE_S)


def _manager(
    tomcat: TomcatInstance, method: str, command: str, query: dict[str, str], body: bytes
) -> None:
    """Call Tomcat's Manager once. Raises ProgramError if it refuses."""
    if tomcat.manager is None:
        raise ProgramError(f"{tomcat.base.name} has no Manager")
    user = f"{tomcat.manager.name}:{tomcat.manager.password}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(user).decode()}"}
    line = http.client.HTTPConnection("127.0.0.1", tomcat.port, timeout=_DEADLINE_S)
    try:
        line.request(method, f"/manager/text/{command}?{urlencode(query)}", body, headers)
        answer = line.getresponse().read().decode()
    finally:
        line.close()
    if not answer.startswith("OK"):
        raise ProgramError(f"the Manager of {tomcat.base.name} answers {answer.splitlines()[:1]}")
