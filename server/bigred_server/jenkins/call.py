"""One call of Jenkins's remote API: HTTP with an API token, and a sentence for all that goes wrong.

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
_MOST = 4 << 20
_TOLD = 200

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Answered:
    """An answer: the body no longer than was asked for, the rest is not read."""

    status: int
    headers: httpx2.Headers
    body: bytes


@dataclass
class JenkinsCall:
    """Calls one Jenkins as one user. Its session's cookie is kept: a crumb is good in it alone."""

    settings: JenkinsSettings
    _http: httpx2.AsyncClient | None = None
    _crumb: Crumb | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """Jenkins's address, without a slash at its end."""
        return self.settings.url.rstrip("/")

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def read(self, path: str, model: type[M], tree: str = "") -> M | None:
        """Read a page of JSON; None where there is none. Raises JenkinsError."""
        answered = await self.get(path, {"tree": tree} if tree else {})
        if answered.status == HTTPStatus.NOT_FOUND:
            return None
        try:
            return model.model_validate_json(answered.body)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise JenkinsError(
                f"{self.root}{path} is not what Jenkins answers ({where or 'it'}: {first['msg']}); "
                "see whether the url is Jenkins's own"
            ) from error

    async def get(self, path: str, query: Mapping[str, str | int], most: int = _MOST) -> Answered:
        """Get a page, of which `most` bytes; there may be none (404). Raises JenkinsError."""
        answered = await self._ask("GET", path, dict(query), None, {}, most)
        if answered.status != HTTPStatus.NOT_FOUND:
            self._check(path, answered)
        return answered

    async def post(self, path: str, form: Mapping[str, str]) -> Answered:
        """Post a form; with a crumb where Jenkins wants one. Raises JenkinsError."""
        answered = await self._post(path, form)
        if answered.status == HTTPStatus.FORBIDDEN and b"crumb" in answered.body.lower():
            # None, or one whose session is over: a new one, once.
            self._crumb = await self.read("/crumbIssuer/api/json", Crumb)
            answered = await self._post(path, form)
        self._check(path, answered)
        return answered

    async def _post(self, path: str, form: Mapping[str, str]) -> Answered:
        headers = {self._crumb.field: self._crumb.crumb} if self._crumb else {}
        return await self._ask("POST", path, {}, dict(form), headers, _MOST)

    async def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, str | int],
        form: dict[str, str] | None,
        headers: Mapping[str, str],
        most: int,
    ) -> Answered:
        auth = httpx2.BasicAuth(self.settings.user, self._token())
        body = bytearray()
        try:
            async with (
                # The client's own time-outs are for each byte anew.
                asyncio.timeout(DEADLINE_S),
                self._client().stream(
                    method, self.root + path, params=query, data=form, headers=headers, auth=auth
                ) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= most:
                        break
        except (httpx2.RequestError, TimeoutError) as error:
            told = f"{type(error).__name__} {error}".strip()
            raise JenkinsAwayError(f"no answer from Jenkins at {self.root}: {told}") from error
        return Answered(response.status_code, response.headers, bytes(body[:most]))

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
                f"Jenkins's API token can't be read: {error}; make one in Jenkins under the user "
                f"{self.settings.user}, Security, and put it, alone, into that file"
            ) from error
        if not token:
            raise JenkinsError(f"{file} is empty; put the API token of {self.settings.user} there")
        return token

    def _check(self, path: str, answered: Answered) -> None:
        status, user = answered.status, self.settings.user
        if status < HTTPStatus.BAD_REQUEST:
            return
        where = f"{self.root}{path} answers {status}"
        match status:
            case HTTPStatus.UNAUTHORIZED:
                raise JenkinsError(
                    f"{where}: {self.settings.token_file} does not hold the API token of the user "
                    f"{user}"
                )
            case HTTPStatus.FORBIDDEN:
                raise JenkinsError(
                    f"{where}: give the user {user} the permissions Job/Read, Job/Build and "
                    "Job/Cancel on the job in Jenkins"
                )
            case HTTPStatus.NOT_FOUND:
                raise JenkinsError(f"{where}: there is none, or {user} has no Job/Read on it")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise JenkinsAwayError(f"{where}: Jenkins is starting, stopping, or in trouble")
        raise JenkinsError(f"{where}: {_said(answered) or 'it gives no reason'}")


def _said(answered: Answered) -> str:
    # An error page of HTML says nothing worth repeating; its header may.
    if reason := answered.headers.get("x-error"):
        return str(reason)[:_TOLD]
    text = answered.body.decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else " ".join(text.split())[:_TOLD]
