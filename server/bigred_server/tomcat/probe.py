"""Asks the app on the node's own port which release it is, and whether it is fit for users."""

import asyncio
import contextlib
import json
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from bigred_server.errors import NodeError
from bigred_server.model.json_pointer import value_at
from bigred_server.rollout.core.observation import Answer
from bigred_server.settings import AdmissionSettings, MarkerSettings, MarkerSource
from bigred_server.settings.admission import SmokeSettings
from bigred_server.tomcat.get_client import GetClient, NoAnswerError, Page
from bigred_server.tomcat.question import Question
from bigred_server.tomcat.smoke import SmokeAnswer, complaint

PROBE_DEADLINE_S = 2.0
_REQUEST_DEADLINE_S = 10.0
_MAX_MARKER = 500
_MAX_PAGE = 5_000_000
_BROKEN = 500


def client(urls: Iterable[str] | None = None) -> httpx2.AsyncClient:
    """Return the HTTP client for all nodes: no proxy, redirects, open connections or cookies.

    A connection kept open would delay Tomcat's graceful stop. A session cookie would be sent to
    every port of a machine, and tie us to an old version where versions run side by side. `urls`:
    what every URL that will be asked begins with, if that is known.
    """
    is_plain = urls is not None and all(url.startswith("http:") for url in urls)
    return httpx2.AsyncClient(
        # To load the authorities takes longer than to ask a node. Without them, none is trusted.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else True,
        trust_env=False,
        follow_redirects=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
        headers={"user-agent": "bigred"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


@dataclass
class Probe:
    """Sends requests to one node of one app; close it at the end."""

    url: str
    admission: AdmissionSettings
    _asking: GetClient = field(init=False)

    def __post_init__(self) -> None:
        self._asking = GetClient(self.url)

    def close(self) -> None:
        """Close the connection that an answer has left open, if there is one."""
        self._asking.close()

    async def answer(
        self,
        questions: Sequence[Question],
        manifest: Mapping[str, str],
        *,
        keeps_connection: bool = False,
    ) -> Answer:
        """Ask the app for its release until an answer proves one, or there is nothing left to ask.

        `manifest`: that of the WAR in place. An answer that proves a release has the marker of this
        release, however it was asked. `keeps_connection`: for the next question; Tomcat would wait
        for it when it stops.
        """
        try:
            return await self._answer(questions, manifest)
        finally:
            if not keeps_connection:
                self.close()

    async def _answer(self, questions: Sequence[Question], manifest: Mapping[str, str]) -> Answer:
        answers: list[Answer] = []
        for question in questions:
            answer = await self._ask(question, manifest)
            if answer.ok and answer.marker in question.proven:
                return replace(answer, marker=question.proven[answer.marker])
            answers.append(answer)
            if not answer.came:
                break
        return replace(answers[0], text="; ".join(answer.text for answer in answers))

    async def _ask(self, question: Question, manifest: Mapping[str, str]) -> Answer:
        marker = question.marker
        try:
            page = await self._asking.page(marker.path, PROBE_DEADLINE_S)
            release = read_marker(marker, page, manifest)
        except (NoAnswerError, TimeoutError) as error:
            return Answer(text=f"no answer from {self.url}: {error or 'TimeoutError'}")
        except httpx2.DecodingError:
            return Answer(text=f"no answer from {self.url}: DecodingError")
        ok = page.status in marker.statuses
        text = f"{marker.path} answers {page.status}, release {release or 'unknown'}"
        if question.wanted and not (ok and release in question.proven):
            text = f"{text} (wanted: {question.wanted})"
        return Answer(came=True, ok=ok, marker=release, text=text)

    async def admit(self) -> str:
        """Run the smoke tests and the warm-up; return the results. Raise NodeError on failure."""
        for test in self.admission.smoke_tests:
            if wrong := await self._smoke(test):
                raise NodeError(f"smoke test {test.path} failed: {wrong}")
        count = len(self.admission.smoke_tests)
        passed = "1 smoke test passed" if count == 1 else f"{count} smoke tests passed"
        if not self.admission.warmup:
            return passed
        broken = await self._warm_up()
        total = self.admission.warmup_requests
        result = f"{broken} of {total} warm-up requests failed"
        if broken > total * self.admission.warmup_errors:
            raise NodeError(result)
        return f"{passed}, {result}"

    async def _smoke(self, test: SmokeSettings) -> str:
        try:
            response = await self._get(test.path, test.limit_s)
        except TimeoutError:
            return f"no whole answer within {test.limit_s:g} s"
        except NoAnswerError as error:
            return f"no answer: {error}"
        text = response.text[:_MAX_PAGE]
        return complaint(test, SmokeAnswer(response.status_code, response.headers, text))

    async def _warm_up(self) -> int:
        paths = self.admission.warmup
        todo = iter(range(self.admission.warmup_requests))

        async def work() -> int:
            with contextlib.closing(GetClient(self.url)) as http:
                statuses = [
                    await http.status(paths[number % len(paths)], _REQUEST_DEADLINE_S)
                    for number in todo
                ]
            return sum(status is None or status >= _BROKEN for status in statuses)

        workers = [work() for _ in range(self.admission.warmup_concurrency)]
        return sum(await asyncio.gather(*workers))

    async def _get(self, path: str, deadline_s: float) -> httpx2.Response:
        with contextlib.closing(GetClient(self.url)) as http:
            return await http.get(path, deadline_s)


def read_marker(marker: MarkerSettings, page: Page, manifest: Mapping[str, str]) -> str:
    """Return the release that an app reports, "" if it reports none."""
    if marker.read is MarkerSource.HEADER:
        release = page.header(marker.name)
    elif marker.read is MarkerSource.MANIFEST:
        release = manifest.get(marker.name, "")
    elif marker.read is MarkerSource.JSON:
        release = _in_json(page, marker.pointer)
    elif marker.pattern:
        found = re.search(marker.pattern, page.text[:100_000])
        release = (found[1] or "") if found else ""
    else:
        release = page.text[:_MAX_MARKER]
    return release.strip()[:_MAX_MARKER]


def _in_json(page: Page, pointer: str) -> str:
    try:
        # Numbers stay as they are written: 1.10 is not 1.1.
        document = json.loads(page.text, parse_int=str, parse_float=str)
        found = value_at(document, pointer)
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) else ""
