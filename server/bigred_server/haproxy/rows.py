"""Read HAProxy's tables, `show stat` and `show servers state`, as values. Pure.

Columns are found by their names because every version of HAProxy adds some.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.haproxy.endpoint import normalized
from bigred_server.rollout.core.observation import (
    Admin,
    Counters,
    OutBecause,
    Served,
    ServerLook,
    ServerRole,
)

# srv_admin_state is a set of bits. Source: HAProxy's include/haproxy/server-t.h, SRV_ADMF_*.
# 0x04 remembers that the server line says `disabled`: it stays set when the server is READY again.
_FORCED, _INHERITED, _DISABLED, _UNRESOLVED = 0x01, 0x02, 0x04, 0x20
_MAINT_BITS = _FORCED | _INHERITED | _UNRESOLVED
_FORCED_DRAIN, _INHERITED_DRAIN = 0x08, 0x10
_DRAIN_BITS = _FORCED_DRAIN | _INHERITED_DRAIN

# srv_check_state, likewise. Source: include/haproxy/check-t.h, CHK_ST_*.
_CHECK_CONFIGURED = 0x02
_CHECK_ENABLED = 0x04

_PASSING = frozenset({"L4OK", "L6OK", "L7OK", "L7OKC", "PROCOK"})


@dataclass(frozen=True)
class ServerRow:
    """One server of a backend in one HAProxy.

    `checked`: it has a check, disabled or not: its own, or that of the server it tracks.
    `address`: where HAProxy connects, as its file has it; `endpoint`: the same with the address
    that the name resolved to, "" if there is none. `tracked`: the server whose state it follows, as
    "backend/server"; "" for none. `check_of`: the server whose check it has, in the same form.
    """

    name: str
    look: ServerLook
    checked: bool = False
    address: str = ""
    endpoint: str = ""
    tracked: str = ""
    check_of: str = ""


def not_a_node(row: ServerRow) -> str:
    """Say what a server is, if it is not a node unless somebody says so; "" if it is one."""
    if row.look.role is ServerRole.BACKUP:
        return "a backup"
    return "no address" if row.look.because is OutBecause.UNRESOLVED else ""


@dataclass(frozen=True)
class Process:
    """A HAProxy process. In containers all may have the same `pid`; `since` distinguishes them."""

    pid: int
    since: str
    version: str


@dataclass(frozen=True)
class BackendLook:
    """One observation of a backend. A new `process` means HAProxy was reloaded or restarted.

    `queued`: requests waiting for any of the servers. `is_tcp`: HAProxy passes on connections there
    and sees no requests. `sharing`: by each other backend, those of its servers that are Tomcats of
    this one.
    """

    process: Process
    servers: dict[str, ServerRow]
    counters: Counters
    queued: int = 0
    is_tcp: bool = False
    sharing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def process(info: str) -> Process:
    """Read `show info`. Raise KeyError or ValueError on anything else."""
    fields = {name: value.strip() for name, _, value in map(_split, info.splitlines())}
    return Process(int(fields["Pid"]), fields.get("Start_time_sec", ""), fields["Version"])


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def stat(answer: str) -> list[Mapping[str, str]]:
    """Read the CSV of `show stat`."""
    return list(csv.DictReader(answer.lstrip("# ").splitlines(), restval=""))


def server_states(answer: str) -> list[Mapping[str, str]]:
    """Read the table of `show servers state`: a version, a line of names, then the servers."""
    lines = [line for line in answer.splitlines() if line.strip()]
    names = next((line for line in lines if line.startswith("#")), "#")[1:].split()
    return [
        dict(zip(names, line.split(), strict=False))
        for line in lines
        if not line.startswith("#") and len(line.split()) > 1
    ]


def admin(bits: int) -> Admin:
    """Return the administrative state for the bits of `srv_admin_state`."""
    if bits & _MAINT_BITS:
        return Admin.MAINT
    return Admin.DRAIN if bits & _DRAIN_BITS else Admin.READY


def out_because(bits: int) -> OutBecause | None:
    """Return why a server is in MAINT or DRAIN, None if it is in neither."""
    if bits & _UNRESOLVED:
        return OutBecause.UNRESOLVED
    if bits & _FORCED:
        return OutBecause.DISABLED if bits & _DISABLED else OutBecause.COMMANDED
    if bits & _FORCED_DRAIN:
        return OutBecause.COMMANDED
    return OutBecause.FOLLOWED if bits & (_INHERITED | _INHERITED_DRAIN) else None


def role(fields: Mapping[str, str]) -> ServerRole:
    """Return which users a server gets, by its row of `show stat`."""
    if fields.get("bck") == "1":
        return ServerRole.BACKUP
    return ServerRole.UNWEIGHTED if fields.get("weight") == "0" else ServerRole.ACTIVE


@dataclass(frozen=True)
class CheckSource:
    """The row of `show stat` and the line of `show servers state` that show a server's check."""

    fields: Mapping[str, str]
    state: Mapping[str, str]


def row(
    fields: Mapping[str, str], state: Mapping[str, str], tracked: CheckSource | None = None
) -> ServerRow:
    """Read one server: its row of `show stat` and its line of `show servers state`.

    `tracked`: those of the server that it tracks.
    """
    check = tracked or CheckSource(fields, state)
    status, bits = fields["status"], int(state["srv_admin_state"])
    check_state = _number(check.state.get("srv_check_state", ""))
    checked = bool(check_state & _CHECK_CONFIGURED)
    words = (check.fields.get("check_status", ""), check.fields.get("last_chk", ""))
    look = ServerLook(
        admin=admin(bits),
        up=status.startswith("UP") or status == "no check",
        # The check of a tracked server goes on while this one is out: it shows nothing new.
        fresh=is_fresh(fields) if tracked is None else None,
        in_flight=_number(fields["scur"]) + _number(fields["qcur"]),
        capacity=_number(fields.get("slim", "")) or None,
        checks_disabled=checked and not check_state & _CHECK_ENABLED,
        served=served(fields),
        status=status,
        check=" ".join(filter(None, words)),
        role=role(fields),
        because=out_because(bits),
    )
    return ServerRow(
        fields["svname"],
        look,
        checked,
        address(state),
        normalized(fields.get("addr", "")),
        fields.get("tracked", ""),
        f"{check.fields['pxname']}/{check.fields['svname']}",
    )


def address(state: Mapping[str, str]) -> str:
    """Return "host:port" from `show servers state`; "" for a server without one (UNIX socket)."""
    host, port = state.get("srv_fqdn", "-"), state.get("srv_port", "0")
    if host in ("-", ""):
        host = state.get("srv_addr", "-")
    if host in ("-", "") or not _number(port):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_fresh(fields: Mapping[str, str]) -> bool | None:
    """Return whether the check now passes fully; None if HAProxy gives no way to know.

    A server with disabled checks shows nothing. On leaving MAINT, a server keeps the *old* result
    and gets a health of `rise`; only if `fall` is 2 or more does a passing check raise it further,
    to rise + fall - 1. When checks are enabled again, the old result and the old health remain.
    """
    check = fields.get("check_status", "")
    if not check or fields["status"] == "no check" or _number(fields.get("check_fall", "")) < 2:
        return None
    full = _number(fields["check_rise"]) + _number(fields["check_fall"]) - 1
    in_transition = "/" in fields["status"]
    return check in _PASSING and not in_transition and _number(fields["check_health"]) == full


def is_tcp(fields: Mapping[str, str]) -> bool:
    """Return whether HAProxy passes on connections here, and sees no requests."""
    return fields.get("mode") == "tcp"


def counters(fields: Mapping[str, str]) -> Counters:
    """Read the BACKEND row of `show stat`; in TCP mode, connections and those that were cut."""
    failed = _cut(fields) if is_tcp(fields) else _number(fields.get("hrsp_5xx", ""))
    return Counters(
        requests=_number(fields.get("req_tot", "")) or _number(fields["stot"]),
        errors_5xx=failed,
        retried=_retried(fields),
    )


def _cut(fields: Mapping[str, str]) -> int:
    # Connections that no server accepted, and those that a server broke off.
    return _number(fields.get("econ", "")) + _number(fields.get("srv_abrt", ""))


def served(fields: Mapping[str, str]) -> Served:
    """Read a server's answers and errors: 5xx, no connection, no answer or half an answer.

    Answers that HAProxy gives in the server's stead do not count as the server's. In TCP mode,
    connections are counted instead, and those that were cut.
    """
    if is_tcp(fields):
        return Served(_number(fields["stot"]), _cut(fields), _retried(fields))
    kinds = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")
    answers = sum(_number(fields.get(f"hrsp_{kind}", "")) for kind in kinds)
    broken = _number(fields.get("econ", "")) + _number(fields.get("eresp", ""))
    errors = _number(fields.get("hrsp_5xx", "")) + broken
    return Served(answers + broken, errors, _retried(fields))


def _retried(fields: Mapping[str, str]) -> int:
    # A retry elsewhere counts in both columns after no answer, in wredis alone after no connection.
    return max(_number(fields.get("wretr", "")), _number(fields.get("wredis", "")))


def queued(fields: Mapping[str, str]) -> int:
    """Read from the BACKEND row how many requests are waiting for any of the servers."""
    return _number(fields.get("qcur", ""))


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
