"""Asks the app on the node's own port which release it is, and whether it is fit for users."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import Answer
from bigred_server.settings import AdmissionSettings, MarkerSettings, MarkerSource

PROBE_DEADLINE_S = 2.0
_REQUEST_DEADLINE_S = 10.0
_MAX_MARKER = 500
_BAD = 400
_BROKEN = 500


def client() -> httpx2.AsyncClient:
    """Return the HTTP client for all nodes: no proxy, redirects, open connections or cookies.

    A connection kept open would delay Tomcat's graceful stop. A session cookie would be sent to
    every port of a machine, and tie us to an old version where versions run side by side.
    """
    return httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
        headers={"user-agent": "bigred"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


@dataclass(frozen=True)
class Probe:
    """Sends requests to one node of one app."""

    http: httpx2.AsyncClient
    url: str
    marker: MarkerSettings
    admission: AdmissionSettings

    async def answer(self, manifest: Mapping[str, str]) -> Answer:
        """Ask the app for its release. `manifest`: that of the WAR in place."""
        try:
            response = await self._get(self.marker.path, PROBE_DEADLINE_S)
        except (httpx2.RequestError, TimeoutError) as error:
            return Answer(text=f"no answer from {self.url}: {type(error).__name__}")
        release = read_marker(self.marker, response, manifest)
        ok = response.status_code == self.marker.status
        text = f"{self.marker.path} answers {response.status_code}, release {release or 'unknown'}"
        return Answer(came=True, ok=ok, marker=release, text=text)

    async def admit(self) -> str:
        """Run the smoke tests and the warm-up; return the results. Raise NodeError on failure."""
        for path in self.admission.smoke:
            status = await self._status(path)
            if status is None or status >= _BAD:
                result = f"status {status}" if status else "no answer"
                raise NodeError(f"smoke test {path} failed: {result}")
        if not self.admission.warmup:
            return f"{len(self.admission.smoke)} smoke tests passed"
        broken = await self._warm_up()
        total = self.admission.warmup_requests
        result = f"{broken} of {total} warm-up requests failed"
        if broken > total * self.admission.warmup_errors:
            raise NodeError(result)
        return f"{len(self.admission.smoke)} smoke tests passed, {result}"

    async def _warm_up(self) -> int:
        paths = self.admission.warmup
        todo = iter(range(self.admission.warmup_requests))

        async def work() -> int:
            statuses = [await self._status(paths[number % len(paths)]) for number in todo]
            return sum(status is None or status >= _BROKEN for status in statuses)

        workers = [work() for _ in range(self.admission.warmup_concurrency)]
        return sum(await asyncio.gather(*workers))

    async def _status(self, path: str) -> int | None:
        try:
            response = await self._get(path, _REQUEST_DEADLINE_S)
        except (httpx2.RequestError, TimeoutError):
            return None
        return response.status_code

    async def _get(self, path: str, deadline_s: float) -> httpx2.Response:
        # The client's own time-out restarts with every byte: a trickling answer would never end.
        async with asyncio.timeout(deadline_s):
            return await self.http.get(self.url + path, timeout=deadline_s)


def read_marker(
    marker: MarkerSettings, response: httpx2.Response, manifest: Mapping[str, str]
) -> str:
    """Return the release that an app reports, "" if it reports none."""
    if marker.read is MarkerSource.HEADER:
        release = response.headers.get(marker.name, "")
    elif marker.read is MarkerSource.MANIFEST:
        release = manifest.get(marker.name, "")
    elif marker.pattern:
        found = re.search(marker.pattern, response.text[:100_000])
        release = (found[1] or "") if found else ""
    else:
        release = response.text[:_MAX_MARKER]
    return release.strip()[:_MAX_MARKER]
