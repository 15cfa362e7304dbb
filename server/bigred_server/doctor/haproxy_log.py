"""Whether HAProxy's log reaches the judge: the lines that its configuration needs, and theirs."""

import asyncio
from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import HaproxyError
from bigred_server.haproxy import log
from bigred_server.haproxy.configfile import Proxy
from bigred_server.haproxy.inquiry import inquire
from bigred_server.haproxy.receiver import Receiver
from bigred_server.model.log_line import LogLine

CODE = "haproxy-log"
LISTENS_S = 3.0
_OURS = "bigred1"
# How many lines the kernel keeps for a UNIX socket that is not read; see unix(7).
QUEUE = Path("/proc/sys/net/unix/max_dgram_qlen")
# What systemd sets; a kernel by itself has 10.
_ENOUGH = 512


def lines(address: str, cookie: str = "JSESSIONID") -> str:
    """Give the lines that HAProxy's configuration needs to send its log to an address."""
    wanted = [f"in `global`: log {address or 'HOST:PORT'} len {log.LENGTH} local0 info"]
    wanted.append("in the frontend: log global")
    wanted += [f"in the frontend: {line.format(cookie=cookie)}" for line in log.LINES]
    return "; ".join(wanted)


def wanted(where: str, address: str) -> list[Finding]:
    """Judge the server's own setting, `haproxy_log`."""
    if address.startswith("/") and (kept := _kept()) < _ENOUGH:
        text = f"while the server is busy the kernel keeps {kept} lines; more are lost to the judge"
        mend = (
            f'set haproxy_log = "127.0.0.1:5514" (UDP), or sysctl net.unix.max_dgram_qlen={_ENOUGH}'
        )
        return [Finding("haproxy-log-queue", Severity.WARN, where, text, mend)]
    if address:
        return []
    text = "the judge has HAProxy's counters alone: it knows neither users nor how long they wait"
    mend = f"set haproxy_log in [server], and in HAProxy's configuration write: {lines('')}"
    return [Finding(CODE, Severity.WARN, where, text, mend)]


def _kept() -> int:
    try:
        return int(QUEUE.read_text())
    except (OSError, ValueError):
        return _ENOUGH  # not told, so nothing is known to be wrong


def in_file(where: str, proxy: Proxy | None, address: str) -> list[Finding]:
    """Judge a backend by HAProxy's configuration file, where that can be read."""
    if not address or proxy is None:
        return []
    mend = f"write: {lines(address)}; behind another proxy set txn.bigred to hdr(X-Forwarded-For)"
    formats = [line for line in proxy.front if line[0] == "log-format"]
    if not any(_OURS in word for line in formats for word in line):
        text = "its requests are not logged as the judge reads them"
        return [Finding(CODE, Severity.WARN, where, text, mend)]
    if not any(line[:2] == ("log", address) for line in (*proxy.world, *proxy.front)):
        text = f"its log does not go to {address}"
        return [Finding(CODE, Severity.WARN, where, text, mend)]
    return [Finding(CODE, Severity.OK, where, f"its requests are logged to {address}")]


async def arriving(where: str, address: str, backends: list[str]) -> list[Finding]:
    """Say of which backends lines come: to the server that listens, or else to us for a moment."""
    if not address:
        return []
    code = "haproxy-log-lines"
    receiver = Receiver(address, dict.fromkeys(backends, _receive))
    try:
        with receiver.listening():
            await asyncio.sleep(LISTENS_S)
        told, span = receiver.arrived, f"in {LISTENS_S:g} s"
    except HaproxyError as taken:
        try:
            told, span = await inquire(address, LISTENS_S), "since the server began to listen"
        except HaproxyError as error:
            mend = "have one server alone listen there, or mend haproxy_log in [server]"
            return [Finding(code, Severity.BAD, where, f"{taken}; {error}", mend)]
    if silent := [name for name in backends if not told.lines.get(name)]:
        text = f"{span} no line came of {', '.join(silent)}"
        text += f"; {told.foreign} were not as asked for" if told.foreign else ""
        mend = f"ask the app for something meanwhile; see that HAProxy has: {lines(address)}"
        return [Finding(code, Severity.WARN, where, text, mend)]
    came = sum(told.lines[name] for name in backends)
    return [Finding(code, Severity.OK, where, f"{came} lines came {span}")]


def _receive(_line: LogLine, _came: float) -> None:
    """Take a line that is only counted."""
