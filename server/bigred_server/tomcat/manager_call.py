"""One call of Tomcat's Manager: HTTP with a password, and a sentence for every failure."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.tomcat import manager_text
from bigred_server.tomcat.basic_auth import authorizations

_CONNECT_S = 5.0
_CHUNK = 1 << 18


class RefusedError(NodeError):
    """The Manager refused the command."""


class BusyError(RefusedError):
    """The Manager refused because Tomcat is already working on this context."""


@dataclass(frozen=True)
class ManagerCall:
    """Calls one Manager. `url` has no trailing slash."""

    http: httpx2.AsyncClient
    url: str
    user: str
    password_file: Path
    _accepted: list[str] = field(default_factory=list, compare=False, repr=False)

    async def __call__(
        self,
        command: str,
        query: Mapping[str, str],
        deadline_s: float,
        *,
        upload: Path | None = None,
        only_first: bool = False,
        servlet: str = "text",
    ) -> list[str]:
        """Send a command; return the lines of the answer.

        `upload`: a file to send by PUT. `only_first`: the lines after the first are data.
        `servlet`: "text", or "jmxproxy", which needs its own role. Raise RefusedError if the
        Manager refused, NodeAwayError if nobody knows whether it was done, NodeError otherwise.
        """
        try:
            async with asyncio.timeout(deadline_s):
                response = await self._send(f"{servlet}/{command}", query, deadline_s, upload)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise NodeAwayError(
                f"no connection to {self.url}: {type(error).__name__}; "
                "check that Tomcat runs and listens there"
            ) from error
        except (httpx2.TimeoutException, TimeoutError) as error:
            raise NodeAwayError(
                f"{self._named(command)} did not answer within {deadline_s:.3g} s; "
                "it may still take effect and will be checked again"
            ) from error
        except httpx2.RequestError as error:
            raise NodeAwayError(
                f"{self._named(command)} was cut off: {type(error).__name__}; "
                "it may still take effect and will be checked again"
            ) from error
        self._check_status(f"{servlet}/{command}", response)
        lines = [line for line in response.text.splitlines() if line.strip()]
        complaint = manager_text.complaint(lines[:1] if only_first else lines)
        if complaint:
            kind = BusyError if manager_text.is_busy(complaint) else RefusedError
            raise kind(f"{self._named(command)} answers: {complaint}")
        return lines

    async def _send(
        self, command: str, query: Mapping[str, str], deadline_s: float, upload: Path | None
    ) -> httpx2.Response:
        tries = authorizations(self.user, self._password())
        for one in sorted(tries, key=lambda each: each not in self._accepted):
            response = await self._send_as(one, command, query, deadline_s, upload)
            if response.status_code != httpx2.codes.UNAUTHORIZED:
                self._accepted[:] = [one]
                break
        return response

    async def _send_as(
        self,
        authorization: str,
        command: str,
        query: Mapping[str, str],
        deadline_s: float,
        upload: Path | None,
    ) -> httpx2.Response:
        url = f"{self.url}/{command}"
        # The rest of the answer is parsed as English.
        headers = {"accept-language": "en", "authorization": authorization}
        timeout = httpx2.Timeout(deadline_s, connect=min(_CONNECT_S, deadline_s))
        if upload is None:
            return await self.http.get(url, params=query, headers=headers, timeout=timeout)
        try:
            size = (await asyncio.to_thread(upload.stat)).st_size
            headers["content-length"] = str(size)
            async with contextlib.aclosing(_chunks(upload)) as content:
                return await self.http.put(
                    url, params=query, headers=headers, timeout=timeout, content=content
                )
        except OSError as error:
            # A time-out is an OSError too; only an error of the file itself has its name.
            if error.filename is None:
                raise
            raise NodeError(f"{upload} can't be read: {error.strerror}") from error

    def _password(self) -> str:
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NodeError(
                f"the Manager's password can't be read: {error}; put only the password into that "
                "file and make it readable for this server"
            ) from error

    def _check_status(self, command: str, response: httpx2.Response) -> None:
        status = response.status_code
        if status == httpx2.codes.OK:
            return
        role = "manager-jmx" if command.startswith("jmxproxy") else "manager-script"
        raise NodeError(f"{self.url}/{command} answers {status}: {self._with_fix(response, role)}")

    def _with_fix(self, response: httpx2.Response, role: str) -> str:
        match response.status_code:
            case 401:
                return (
                    f"give the user {self.user!r} the password in {self.password_file} and the "
                    f"role {role} in Tomcat's conf/tomcat-users.xml (after many wrong passwords "
                    "Tomcat locks the user out for 5 minutes; up to Tomcat 10 a password can only "
                    "have characters of Latin-1)"
                )
            case 403:
                return (
                    "allow this server's address in manager/META-INF/context.xml "
                    f"(RemoteCIDRValve), and give the user {self.user!r} the role {role}"
                )
            case 404:
                return (
                    "no Manager there; install it (Debian: tomcat10-admin, or the one of your "
                    "version) or set its url"
                )
            case status if httpx2.codes.is_redirect(status):
                return (
                    f"it redirects to {response.headers.get('location', 'nowhere')}, where the "
                    "password is not sent; set the Manager's url to its own address"
                )
        return "that is not a Manager's answer; see Tomcat's log"

    def _named(self, command: str) -> str:
        return f"{self.url}/text/{command}"


async def _chunks(file: Path) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        while chunk := await asyncio.to_thread(opened.read, _CHUNK):
            yield chunk
