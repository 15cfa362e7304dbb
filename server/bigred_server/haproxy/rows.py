"""One server of a backend, read from `show stat` and `show servers state`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.haproxy import counts
from bigred_server.haproxy.endpoint import normalized
from bigred_server.haproxy.tables import number
from bigred_server.rollout.core.observation import (
    Admin,
    OutBecause,
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
    check_state = number(check.state.get("srv_check_state", ""))
    checked = bool(check_state & _CHECK_CONFIGURED)
    words = (check.fields.get("check_status", ""), check.fields.get("last_chk", ""))
    look = ServerLook(
        admin=admin(bits),
        up=status.startswith("UP") or status == "no check",
        # The check of a tracked server goes on while this one is out: it shows nothing new.
        fresh=is_fresh(fields) if tracked is None else None,
        in_flight=number(fields["scur"]) + number(fields["qcur"]),
        capacity=number(fields.get("slim", "")) or None,
        checks_disabled=checked and not check_state & _CHECK_ENABLED,
        served=counts.served(fields),
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
    if host in ("-", "") or not number(port):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_fresh(fields: Mapping[str, str]) -> bool | None:
    """Return whether the check now passes fully; None if HAProxy gives no way to know.

    A server with disabled checks shows nothing. On leaving MAINT, a server keeps the *old* result
    and gets a health of `rise`; only if `fall` is 2 or more does a passing check raise it further,
    to rise + fall - 1. When checks are enabled again, the old result and the old health remain.
    """
    check = fields.get("check_status", "")
    if not check or fields["status"] == "no check" or number(fields.get("check_fall", "")) < 2:
        return None
    full = number(fields["check_rise"]) + number(fields["check_fall"]) - 1
    in_transition = "/" in fields["status"]
    return check in _PASSING and not in_transition and number(fields["check_health"]) == full
