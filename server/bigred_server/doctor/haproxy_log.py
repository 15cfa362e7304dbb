"""Check that HAProxy's log reaches the judge: what is configured, and what arrives."""

import asyncio
from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.haproxy_file import agreed
from bigred_server.doctor.haproxy_rules import HTTP
from bigred_server.errors import HaproxyError
from bigred_server.haproxy import log
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.inquiry import inquire
from bigred_server.haproxy.receiver import Receiver
from bigred_server.model.log_line import LogLine

CODE = "haproxy-log"
LISTENS_S = 3.0
_OURS = "bigred1"
# How many datagrams the kernel buffers for a UNIX socket that is not being read; see unix(7).
QUEUE = Path("/proc/sys/net/unix/max_dgram_qlen")
# What systemd sets; the kernel's own default is 10.
_ENOUGH = 512


def lines(address: str, cookie: str = "JSESSIONID") -> str:
    """Return the lines that HAProxy's configuration needs to send its log to an address."""
    needed = [f"in `global`: log {address or 'HOST:PORT'} len {log.LENGTH} local0 info"]
    needed.append("in the frontend: log global")
    needed += [f"in the frontend: {line.format(cookie=cookie)}" for line in log.LINES]
    return "; ".join(needed)


def setting(where: str, address: str) -> list[Finding]:
    """Check the server's own setting, `haproxy_log`."""
    if address.startswith("/") and (buffered := _buffered()) < _ENOUGH:
        text = f"while the server is busy the kernel buffers {buffered} lines and drops the rest"
        fix = (
            f'set haproxy_log = "127.0.0.1:5514" (UDP), or sysctl net.unix.max_dgram_qlen={_ENOUGH}'
        )
        return [Finding("haproxy-log-queue", Severity.WARN, where, text, fix)]
    if address:
        return []
    text = "the judge has only HAProxy's counters: it sees neither users nor response times"
    fix = f"set haproxy_log in [server], and add to HAProxy's configuration: {lines('')}"
    return [Finding(CODE, Severity.WARN, where, text, fix)]


def _buffered() -> int:
    try:
        return int(QUEUE.read_text())
    except (OSError, ValueError):
        return _ENOUGH  # unknown, so not known to be wrong


def in_file(where: str, proxy: Proxy | None, address: str) -> list[Finding]:
    """Check a backend's logging in HAProxy's configuration file, if it can be read."""
    if not address or proxy is None:
        return []
    fix = f"add: {lines(address)}; behind another proxy, set txn.bigred to hdr(X-Forwarded-For)"

    def unknown(code: str, text: str) -> Finding:
        return Finding(code, Severity.UNKNOWN, where, text, fix)

    return agreed(proxy, lambda reading: [_logged(where, reading, address, fix)], unknown)


def _logged(where: str, proxy: Proxy, address: str, fix: str) -> Finding:
    if proxy.mode != HTTP:
        return Finding(CODE, Severity.OK, where, "without requests there is no log of them")
    fronts = proxy.fronts or (proxy,)
    others = [one.name for one in fronts if _OURS not in " ".join(one.last("log-format") or ())]
    at = f" at {', '.join(others)}" if len(others) < len(fronts) else ""
    if others:
        text = f"its requests{at} are not logged in the format that the judge reads"
        return Finding(CODE, Severity.WARN, where, text, fix)
    targets = [{line[1:2] for line in one.lines if line[0] == "log"} for one in fronts]
    is_global = ("log", address) in {line[:2] for line in proxy.world}
    if not all((address,) in one or (is_global and ("global",) in one) for one in targets):
        return Finding(CODE, Severity.WARN, where, f"its log is not sent to {address}", fix)
    return Finding(CODE, Severity.OK, where, f"its requests are logged to {address}")


async def arriving(where: str, address: str, backends: list[str]) -> list[Finding]:
    """Check which backends' log lines arrive, by asking the running server or listening ourselves.

    We listen for LISTENS_S, if no server has the address.
    """
    if not address:
        return []
    code = "haproxy-log-lines"
    receiver = Receiver(address, dict.fromkeys(backends, _ignore))
    try:
        with receiver.listening():
            await asyncio.sleep(LISTENS_S)
        arrived, span = receiver.arrived, f"in {LISTENS_S:g} s"
    except HaproxyError as in_use:
        try:
            arrived = await inquire(address, LISTENS_S)
            span = "since the server started to listen"
        except HaproxyError as error:
            fix = "make sure that only the server listens there, or correct haproxy_log in [server]"
            return [Finding(code, Severity.BAD, where, f"{in_use}; {error}", fix)]
    if silent := [name for name in backends if not arrived.lines.get(name)]:
        text = f"no lines received from {', '.join(silent)} {span}"
        text += f"; {arrived.foreign} received in another format" if arrived.foreign else ""
        fix = f"request a page of the app meanwhile; check that HAProxy has: {lines(address)}"
        return [Finding(code, Severity.WARN, where, text, fix)]
    received = sum(arrived.lines[name] for name in backends)
    return [Finding(code, Severity.OK, where, f"lines received {span}: {received}")]


def _ignore(_line: LogLine, _came: float) -> None:
    """Do nothing: the receiver has already counted the line."""
