"""One call of Jenkins's remote API: HTTP with an API token, and a sentence for every failure.

https://www.jenkins.io/doc/book/using/remote-access-api/
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import CookieJar
from typing import TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from bigred_server.errors import JenkinsAwayError, JenkinsError
from bigred_server.jenkins.answers import Crumb
from bigred_server.settings.jenkins import JenkinsSettings

DEADLINE_S = 10.0
_MAX_BYTES = 4 << 20
_MAX_REASON = 200
_MOVED = (301, 307, 308)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class JenkinsAnswer:
    """An answer; its body is cut at the number of bytes asked for."""

    status: int
    headers: httpx2.Headers
    body: bytes


@dataclass
class JenkinsCall:
    """Calls one Jenkins as one user. It keeps the session's cookie: a crumb is valid only in it."""

    settings: JenkinsSettings
    _http: httpx2.AsyncClient | None = None
    _crumb: Crumb | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """Jenkins's address, without a trailing slash."""
        return self.settings.url.rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def read(self, path: str, model: type[M], tree: str = "") -> M | None:
        """Read a page of JSON; return None if it does not exist. Raise JenkinsError on failure."""
        answer = await self.get(path, {"tree": tree} if tree else {})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        try:
            return model.model_validate_json(answer.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise JenkinsError(
                f"{self.root}{path} is not an answer of Jenkins ({where or 'it'}: {first['msg']}); "
                "check that the url is Jenkins's own"
            ) from error

    async def get(
        self, path: str, query: Mapping[str, str | int], limit: int = _MAX_BYTES
    ) -> JenkinsAnswer:
        """Get at most `limit` bytes of a page, which may be missing (404). Raise JenkinsError."""
        answer = await self._ask("GET", path, dict(query), None, {}, limit)
        if answer.status != HTTPStatus.NOT_FOUND:
            self._check(path, answer)
        return answer

    async def post(
        self,
        path: str,
        form: Mapping[str, str],
        refusals: Mapping[int, str] | None = None,
        *,
        missing_ok: bool = False,
    ) -> JenkinsAnswer:
        """Post a form, with a crumb if Jenkins wants one. Raise JenkinsError on failure.

        `refusals`: what statuses mean on this page. `missing_ok`: whether it may answer 404.
        """
        answer = await self._post(path, form)
        if answer.status == HTTPStatus.FORBIDDEN and b"crumb" in answer.body.lower():
            # There is no crumb, or its session has expired: get a new one, once.
            self._crumb = await self.read("/crumbIssuer/api/json", Crumb)
            answer = await self._post(path, form)
        if answer.status == HTTPStatus.NOT_FOUND and missing_ok:
            return answer
        if refusals and answer.status in refusals:
            why = refusals[answer.status].format(user=self.settings.user)
            raise JenkinsError(f"{self.root}{path} answers {answer.status}: {why}")
        self._check(path, answer)
        return answer

    async def _post(self, path: str, form: Mapping[str, str]) -> JenkinsAnswer:
        headers = {self._crumb.field: self._crumb.crumb} if self._crumb else {}
        return await self._ask("POST", path, {}, dict(form), headers, _MAX_BYTES)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str | int],
        form: dict[str, str] | None,
        headers: Mapping[str, str],
        limit: int,
    ) -> JenkinsAnswer:
        auth = httpx2.BasicAuth(self.settings.user, self._token())
        body = bytearray()
        try:
            async with (
                # The client's own time-out restarts with every byte.
                asyncio.timeout(DEADLINE_S),
                self._client().stream(
                    method, self.root + path, params=query, data=form, headers=headers, auth=auth
                ) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= limit:
                        break
        except (httpx2.RequestError, TimeoutError) as error:
            reason = f"{type(error).__name__} {error}".strip()
            raise JenkinsAwayError(f"no answer from Jenkins at {self.root}: {reason}") from error
        return JenkinsAnswer(response.status_code, response.headers, bytes(body[:limit]))

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            ca = self.settings.ca
            try:
                trust = ssl.create_default_context(cafile=str(ca) if ca else None)
            except OSError as error:
                raise JenkinsError(f"{ca} can't be read as certificates: {error}") from error
            self._http = httpx2.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                verify=trust,
                timeout=DEADLINE_S,
                headers={"user-agent": "bigred"},
                cookies=CookieJar(),
            )
        return self._http

    def _token(self) -> str:
        file = self.settings.token_file
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise JenkinsError(
                f"Jenkins's API token can't be read: {error}; create one in Jenkins under the user "
                f"{self.settings.user}, Security, and put only the token into that file"
            ) from error
        if not token:
            raise JenkinsError(f"{file} is empty; put the API token of {self.settings.user} there")
        return token

    def _check(self, path: str, answer: JenkinsAnswer) -> None:
        status, user = answer.status, self.settings.user
        where = f"{self.root}{path} answers {status}"
        if status in _MOVED:
            # Jenkins itself redirects with other codes. This is a proxy, and nothing was done.
            aim = answer.headers.get("location", "an unknown place")[:_MAX_REASON]
            raise JenkinsError(
                f"{where}, a redirect to {aim}: set the url to Jenkins's own address"
            )
        if status < HTTPStatus.BAD_REQUEST:
            return
        match status:
            case HTTPStatus.UNAUTHORIZED:
                raise JenkinsError(
                    f"{where}: {self.settings.token_file} does not contain the API token of the "
                    f"user {user}"
                )
            case HTTPStatus.FORBIDDEN:
                raise JenkinsError(
                    f"{where}: give the user {user} the permissions Job/Read, Job/Build and "
                    "Job/Cancel on the job in Jenkins"
                )
            case HTTPStatus.NOT_FOUND:
                raise JenkinsError(f"{where}: it does not exist, or {user} has no Job/Read on it")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise JenkinsAwayError(f"{where}: Jenkins is starting, stopping or broken")
        raise JenkinsError(f"{where}: {_reason(answer) or 'no reason given'}")


def _reason(answer: JenkinsAnswer) -> str:
    # An HTML error page has nothing worth repeating; its header may.
    if reason := answer.headers.get("x-error"):
        return str(reason)[:_MAX_REASON]
    text = answer.body.decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else " ".join(text.split())[:_MAX_REASON]
