"""Returning users: customers who log in, keep their cookies, and check that their session lives.

They have two cookies: HAProxy's, which keeps them on one node, and that of the session. The answer
that a session is lost is not a failed request.
"""

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie

import httpx2

from bigred_server.demo.customers import WrongAnswerError
from bigred_server.demo.visit_log import Visit, VisitOutcome

STICKY = "SRV"


@dataclass
class ReturningUser:
    """One returning user; `visits`: those that have ended. Requests raise as in `Customer`.

    `stay_s` seconds after the login, the user logs out and returns as a new user; None: never.
    """

    number: int
    url: str
    client: httpx2.AsyncClient
    stay_s: float | None
    visits: list[Visit] = field(default_factory=list)
    _cookies: dict[str, str] = field(default_factory=dict)
    _token: str = ""
    _is_new: bool = True
    _logged_in_s: float = 0.0
    _visit: tuple[float, str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the user still has the session of the first login."""
        return self._visit is not None

    async def visit(self) -> int:
        """Log in, check the session, or log out when it is time; return the status."""
        if not self._token:
            return await self._log_in()
        if self.stay_s is None or time.monotonic() - self._logged_in_s < self.stay_s:
            return await self._check_session()
        return await self._log_out()

    def leave(self) -> None:
        """End a visit in progress as one that is still open."""
        self._close(VisitOutcome.OPEN)

    async def _log_in(self) -> int:
        answer = await self._send("POST", "/login")
        if answer.status_code != HTTPStatus.CREATED:
            raise WrongAnswerError(f"login: status {answer.status_code} instead of 201")
        self._token, self._logged_in_s = answer.text.strip(), time.monotonic()
        if self._is_new:
            self._visit, self._is_new = (self._logged_in_s, self._cookies.get(STICKY, "")), False
        return answer.status_code

    async def _check_session(self) -> int:
        return self._checked(await self._send("GET", "/me"))

    async def _log_out(self) -> int:
        status = self._checked(await self._send("POST", "/logout"))
        self._close(VisitOutcome.ENDED)
        self._cookies.clear()
        self._token, self._is_new = "", True
        return status

    def _checked(self, answer: httpx2.Response) -> int:
        if answer.status_code == HTTPStatus.GONE:
            self._close(VisitOutcome.LOST)
            self._token = ""
        elif answer.status_code != HTTPStatus.OK:
            raise WrongAnswerError(f"session: status {answer.status_code} instead of 200 or 410")
        elif answer.text.strip() != self._token:
            raise WrongAnswerError("session: it belongs to another user")
        return answer.status_code

    def _close(self, fate: VisitOutcome) -> None:
        if self._visit is not None:
            begun_s, node = self._visit
            self.visits.append(Visit(self.number, node, begun_s, time.monotonic(), fate))
            self._visit = None

    async def _send(self, method: str, path: str) -> httpx2.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies} if cookies else {}
        answer = await self.client.request(method, f"{self.url}{path}", headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            self._cookies |= {name: one.value for name, one in SimpleCookie(line).items()}
        return answer
