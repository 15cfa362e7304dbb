"""The app asked on the node's own port: which release it is, and whether it is fit for users."""

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
    """Make the HTTP client for all nodes: no proxy, no redirects, no connections or cookies kept.

    A connection kept open would hold up Tomcat's graceful stop. A session's cookie would go to
    every port of a machine, and bind us to an old version where versions live side by side.
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
    """Asks one node of one app."""

    http: httpx2.AsyncClient
    url: str
    marker: MarkerSettings
    admission: AdmissionSettings

    async def answer(self, manifest: Mapping[str, str]) -> Answer:
        """Ask for the release. `manifest` is that of the WAR in place."""
        try:
            response = await self._get(self.marker.path, PROBE_DEADLINE_S)
        except (httpx2.RequestError, TimeoutError) as error:
            return Answer(text=f"no answer from {self.url}: {type(error).__name__}")
        said = read_marker(self.marker, response, manifest)
        ok = response.status_code == self.marker.status
        text = f"{self.marker.path} answers {response.status_code}, release {said or 'unknown'}"
        return Answer(came=True, ok=ok, marker=said, text=text)

    async def admit(self) -> str:
        """Run the smoke tests and the warm-up; give what was seen. Raises NodeError."""
        for path in self.admission.smoke:
            status = await self._status(path)
            if status is None or status >= _BAD:
                raise NodeError(f"smoke test {path} answers {status or 'nothing'}")
        if not self.admission.warmup:
            return f"{len(self.admission.smoke)} smoke tests passed"
        broken = await self._warm_up()
        total = self.admission.warmup_requests
        seen = f"{broken} of {total} warm-up requests failed"
        if broken > total * self.admission.warmup_errors:
            raise NodeError(seen)
        return f"{len(self.admission.smoke)} smoke tests passed, {seen}"

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
        # The client's own time-outs are for each byte anew: an answer that drips would be endless.
        async with asyncio.timeout(deadline_s):
            return await self.http.get(self.url + path, timeout=deadline_s)


def read_marker(
    marker: MarkerSettings, response: httpx2.Response, manifest: Mapping[str, str]
) -> str:
    """Read the release that an app says it is; "" when it says none."""
    if marker.read is MarkerSource.HEADER:
        said = response.headers.get(marker.name, "")
    elif marker.read is MarkerSource.MANIFEST:
        said = manifest.get(marker.name, "")
    elif marker.pattern:
        found = re.search(marker.pattern, response.text[:100_000])
        said = (found[1] or "") if found else ""
    else:
        said = response.text[:_MAX_MARKER]
    return said.strip()[:_MAX_MARKER]
