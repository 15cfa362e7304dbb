"""A fake HAProxy: the Runtime API on a real socket, with the answers of HAProxy 2.6.

It serves no requests. Tests determine its servers' health: `FakeServer.check` takes one result at a
time and follows HAProxy's own states, rise and fall.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_server.testing.haproxy_server import FakeServer
from bigred_server.testing.listener import listening

__all__ = ["FakeHaproxy", "FakeServer"]

# The fixed columns of `show stat`; those after the "-" depend on how HAProxy was built.
COLUMNS = (
    "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,"
    "status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,"
    "tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,"
    "hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,cli_abrt,"
    "srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,"
    "ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,"
    "check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,-"
)
STATE_COLUMNS = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port "
    "srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port"
)
_NEED_ADMIN = ("set ", "shutdown ", "enable ", "disable ")


@dataclass
class FakeHaproxy:
    """One process with one backend; `async with fake.listen(path)` opens its socket.

    `level`: of the socket. `silent`: it accepts commands and answers none. `garbage`: its answer to
    everything. `deaf`: it accepts changes of state without an error, and ignores them. `mode`: of
    the backend, "http" or "tcp".
    """

    servers: dict[str, FakeServer]
    backend: str = "shop"
    level: str = "admin"
    pid: int = 100
    requests: int = 0
    errors_5xx: int = 0
    retried: int = 0
    silent: bool = False
    garbage: bytes | None = None
    deaf: bool = False
    queued: int = 0
    version: str = "2.6.12"
    mode: str = "http"
    commands: list[str] = field(default_factory=list)

    def listen(self, path: str) -> contextlib.AbstractAsyncContextManager[str]:
        """Listen on a UNIX socket, or on a free loopback port for ""; provide the address."""
        return listening(self._talk, path)

    def restart(self) -> None:
        """Become a new process that has lost the states that were set."""
        self.pid += 1
        self.requests = self.errors_5xx = self.retried = 0
        for server in self.servers.values():
            server.restart()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Unless asked for a prompt, HAProxy answers one line and closes the connection.
        with contextlib.suppress(ConnectionError):
            line = (await reader.readline()).decode().strip()
            if self.silent:
                await reader.read()
            elif self.garbage is not None:
                writer.write(self.garbage)
            else:
                writer.write("".join(map(self.answer, line.split(";"))).encode())

    def answer(self, command: str) -> str:
        """Answer one command with text and an empty line, or with the empty line alone."""
        command = command.strip()
        self.commands.append(command)
        if command.startswith(_NEED_ADMIN) and self.level != "admin":
            return "Permission denied\n\n"
        answers: dict[str, Callable[[str], str]] = {
            "show info": lambda _rest: self._info(),
            "show stat": self._stat,
            "show servers state": self._states,
            "show cli level": lambda _rest: f"{self.level}\n",
            "show backend": lambda _rest: f"# name\n{self.backend}\n",
            "set server": self._set,
            "disable health": lambda rest: self._set_checks(rest, checks_disabled=True),
            "enable health": lambda rest: self._set_checks(rest, checks_disabled=False),
            "shutdown sessions server": self._cut,
        }
        for start, answer in answers.items():
            if command == start or command.startswith(f"{start} "):
                return answer(command[len(start) :].strip()) + "\n"
        return "Unknown command, but maybe one of the following ones is a better match:\n  quit\n\n"

    def _info(self) -> str:
        since = f"Start_time_sec: {1_700_000_000 + self.pid}"
        return f"Name: HAProxy\nVersion: {self.version}\nPid: {self.pid}\n{since}\n"

    def _stat(self, only: str) -> str:
        total: dict[str, object] = {
            "stot": self.requests,
            "req_tot": self.requests,
            "hrsp_5xx": self.errors_5xx,
        }
        total |= {"wretr": self.retried, "wredis": 0, "status": "UP", "type": 1}
        servers = {name: {**one.columns(), "mode": self.mode} for name, one in self.servers.items()}
        rows = [_row(self.backend, name, columns) for name, columns in servers.items()]
        if only:
            # "PROXY 4 -1": the servers of one backend.
            return "\n".join(
                [f"# {COLUMNS},", *(rows if only == f"{self.backend} 4 -1" else ()), ""]
            )
        public = {"scur": 0, "stot": 0, "status": "OPEN", "type": 0}
        rows = [_row("public", "FRONTEND", public), *rows]
        total |= {"scur": 0, "qcur": self.queued, "mode": self.mode}
        rows.append(_row(self.backend, "BACKEND", total))
        return "\n".join([f"# {COLUMNS},", *rows, ""])

    def _states(self, backend: str) -> str:
        if backend not in ("", self.backend):
            return "Can't find backend.\n"
        lines = ["1", f"# {STATE_COLUMNS}"]
        for number, (name, one) in enumerate(self.servers.items(), 1):
            lines.append(one.line(self.backend, number, name))
        return "\n".join([*lines, ""])

    def _set(self, rest: str) -> str:
        target, _, what = rest.partition(" ")
        server = self._find(target)
        if isinstance(server, str):
            return server
        state = what.removeprefix("state ").strip()
        if state not in ("ready", "drain", "maint"):
            return "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"
        if not self.deaf:
            server.set(state)
        return ""

    def _set_checks(self, rest: str, *, checks_disabled: bool) -> str:
        server = self._find(rest)
        if isinstance(server, str):
            return server
        if not server.checked and not checks_disabled:
            return "Health checks are not configured on this server, cannot enable.\n"
        if not self.deaf:
            server.checks_disabled = checks_disabled
        return ""

    def _cut(self, rest: str) -> str:
        server = self._find(rest)
        if isinstance(server, str):
            return server
        server.scur = 0
        return ""

    def _find(self, target: str) -> FakeServer | str:
        backend, slash, name = target.partition("/")
        if not slash:
            return "Require 'backend/server'.\n"
        if backend != self.backend:
            return "No such backend.\n"
        return self.servers.get(name, "No such server.\n")


def _row(proxy: str, name: str, values: dict[str, object]) -> str:
    values = {"pxname": proxy, "svname": name, "-": "-", **values}
    return ",".join(str(values.get(column, "")) for column in COLUMNS.split(",")) + ","
