"""A fake Jenkins: one job, its queue and its builds, with the remote API of Jenkins LTS.

It refuses unknown requests with 501 and lists them in `refused`, so that tests can fail on them.
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any  # a build's keyword arguments
from urllib.parse import parse_qs, quote, urlsplit

from bigred_server.testing import jenkins_pages as pages
from bigred_server.testing import jenkins_queue as queue
from bigred_server.testing.jenkins_pages import FakeAnswer, FakeBuild, FakeItem

_CRUMB = "5a2d1c"
_FIRST_ITEM = 1200
_NOT_FOUND = FakeAnswer(404, b"<html>Not Found")


@dataclass
class FakeJenkins:
    """One job, `job`, that takes `parameters` (names to choices, None for any text).

    `crumbs`: whether a POST needs a crumb despite its token. `forgets`: whether items that left the
    queue are unknown. `breaks`: how many requests get status 503. `deaf`: how many POSTs take
    effect without an answer. `forbids`: whether the user lacks Job/Build. `cancels`: the status
    with which it answers a request to cancel an item. `moved`: where a proxy in front of it
    redirects everything, "" for nowhere.
    """

    job: str = "deploy-site"
    user: str = "bigred"
    token: str = "11aa22bb"  # noqa: S105
    parameters: dict[str, list[str] | None] = field(default_factory=dict)
    next_number: int = 57
    buildable: bool = True
    crumbs: bool = False
    forgets: bool = False
    breaks: int = 0
    deaf: int = 0
    forbids: bool = False
    cancels: int = 204
    moved: str = ""
    root: str = ""
    items: dict[int, FakeItem] = field(default_factory=dict)
    builds: dict[int, FakeBuild] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _sessions: set[str] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def path(self) -> str:
        """The path of its job."""
        return "".join(f"/job/{quote(part, safe='')}" for part in self.job.split("/"))

    @property
    def url(self) -> str:
        """The address of its job."""
        return f"{self.root}{self.path}/"

    def hold(self, item: int, state: str, why: str | None) -> None:
        """Make an item wait, in a state and for a reason."""
        with self._lock:
            self.items[item].state, self.items[item].why = state, why

    def begin(self, item: int, **build: Any) -> FakeBuild:
        """Turn an item into a running build."""
        with self._lock:
            number, self.next_number = self.next_number, self.next_number + 1
            found = self.items[item]
            found.state, found.why, found.number = "left", None, number
            self.builds[number] = FakeBuild(number, found, **build)
            return self.builds[number]

    def finish(self, number: int, result: str) -> None:
        """End a build with a result."""
        with self._lock:
            build = self.builds[number]
            build.result, build.building = result, False

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Listen on a free loopback port while the block runs; provide the address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.root = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self.root
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(
        self, method: str, target: str, headers: dict[str, str], form: dict[str, str]
    ) -> FakeAnswer | None:
        """Return the answer to a request; None to give none."""
        with self._lock:
            if self.moved:
                return FakeAnswer(301, b"<html>", (("location", f"{self.moved}{target}"),))
            if self.breaks:
                self.breaks -= 1
                return FakeAnswer(503, b"<html>Please wait while Jenkins is getting ready")
            if not self._knows(headers.get("authorization", "")):
                return FakeAnswer(401, b"<html>Invalid password/token for user")
            url = urlsplit(target)
            below = url.path.removeprefix(self.path)
            if below == url.path and url.path.startswith("/job/"):
                return _NOT_FOUND
            if method == "POST":
                return self._post(url.path, below, headers, form)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            return self._get(url.path, below, query)

    def _knows(self, authorization: str) -> bool:
        """Return whether user and token are right; as in Jenkins, the case of the user's is not."""
        user, _, token = base64.b64decode(authorization[len("Basic ") :]).decode().partition(":")
        return (user.lower(), token) == (self.user.lower(), self.token)

    def _get(self, path: str, below: str, query: dict[str, str]) -> FakeAnswer:
        if path == "/crumbIssuer/api/json":
            return self._crumb()
        if path == "/queue/api/json":
            return pages.of_queue(self.items.values(), self.url)
        if found := re.fullmatch(r"/queue/item/(\d+)/api/json", path):
            item = self.items.get(int(found[1]))
            if item is None or (self.forgets and item.has_left):
                return _NOT_FOUND
            return pages.of_item(item, self.url)
        if below == "/api/json":
            fields = {
                "fullName": self.job,
                "url": self.url,
                "buildable": self.buildable,
                "nextBuildNumber": self.next_number,
            }
            return pages.of_job(fields, self.parameters, reversed(self.builds.values()))
        if found := re.fullmatch(r"/(\d+)/(.+)", below):
            build = self.builds.get(int(found[1]))
            match found[2]:
                case _ if build is None:
                    return _NOT_FOUND
                case "api/json":
                    return pages.of_build(build, self.url)
                case "wfapi/describe":
                    return _NOT_FOUND if build.stages is None else pages.of_stages(build)
                case "logText/progressiveText":
                    return pages.of_console(build, int(query["start"]))
        return self._refuse("GET", path)

    def _crumb(self) -> FakeAnswer:
        session = f"node0{len(self._sessions)}"
        self._sessions.add(session)
        crumb = {
            "_class": "hudson.security.csrf.DefaultCrumbIssuer",
            "crumb": _CRUMB,
            "crumbRequestField": "Jenkins-Crumb",
        }
        cookie = ("set-cookie", f"JSESSIONID.1a2b={session}; Path=/; HttpOnly")
        found = pages.page(crumb)
        return FakeAnswer(found.status, found.body, (cookie, *found.headers))

    def _post(
        self, path: str, below: str, headers: dict[str, str], form: dict[str, str]
    ) -> FakeAnswer | None:
        if self.crumbs:
            session = headers.get("cookie", "").partition("=")[2]
            if headers.get("jenkins-crumb") != _CRUMB or session not in self._sessions:
                return FakeAnswer(403, b"<html>No valid crumb was included in the request")
        if self.forbids:
            return FakeAnswer(403, b"<html>bigred is missing the Job/Build permission")
        if below in ("/build", "/buildWithParameters"):
            return self._start(below, form)
        if path == "/queue/cancelItem":
            return queue.cancelled(self.items.get(int(form["id"])), self.cancels)
        if found := re.fullmatch(r"/(\d+)/(stop|term|kill)", below):
            return self._stop(int(found[1]), found[2])
        return self._refuse("POST", path)

    def _start(self, verb: str, form: dict[str, str]) -> FakeAnswer | None:
        if not self.buildable:
            return FakeAnswer(409, b"<html>deploy-site is not buildable")
        if (verb == "/build") != (not self.parameters):
            return FakeAnswer(400, b"<html>Nothing is submitted")
        for name, value in form.items():
            choices = self.parameters.get(name)
            if choices is not None and value not in choices:
                return FakeAnswer(400, f"<html>Illegal choice for parameter {name}".encode())
        existing = queue.folded(self.items.values(), dict(form), self.user)
        item = existing or FakeItem(_FIRST_ITEM + len(self.items), dict(form), self.user)
        self.items[item.id] = item
        if self.deaf:
            self.deaf -= 1
            return None
        return queue.scheduled(item, existing=existing is not None)

    def _stop(self, number: int, how: str) -> FakeAnswer:
        build = self.builds.get(number)
        if build is None or (build.stages is None and how != "stop"):
            return _NOT_FOUND
        build.stops.append(how)
        if build.building and len(build.stops) > build.stubborn:
            self.finish(build.number, "ABORTED")
        return FakeAnswer(302, b"", (("location", self.url),))

    def _refuse(self, method: str, path: str) -> FakeAnswer:
        self.refused.append(f"{method} {path}")
        return FakeAnswer(501, b"the fake does not know this")


def _handler(jenkins: FakeJenkins) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", {})

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length).decode()
            self._answer("POST", {k: v[0] for k, v in parse_qs(body, True).items()})

        def _answer(self, method: str, form: dict[str, str]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = jenkins.answer(method, self.path, headers, form)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Log nothing."""

    return Handler
