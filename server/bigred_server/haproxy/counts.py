"""What HAProxy counted at a server or a backend, read from `show stat`. Pure."""

from collections.abc import Mapping

from bigred_server.haproxy.tables import number
from bigred_server.rollout.core.observation import Counters, Served


def is_tcp(fields: Mapping[str, str]) -> bool:
    """Return whether HAProxy passes on connections here, and sees no requests."""
    return fields.get("mode") == "tcp"


def counters(fields: Mapping[str, str]) -> Counters:
    """Read the BACKEND row of `show stat`; in TCP mode, connections and those that were cut."""
    failed = _cut(fields) if is_tcp(fields) else number(fields.get("hrsp_5xx", ""))
    return Counters(
        requests=number(fields.get("req_tot", "")) or number(fields["stot"]),
        errors_5xx=failed,
        retried=_retried(fields),
    )


def _cut(fields: Mapping[str, str]) -> int:
    # Connections that no server accepted, and those that a server broke off.
    return number(fields.get("econ", "")) + number(fields.get("srv_abrt", ""))


def served(fields: Mapping[str, str]) -> Served:
    """Read a server's answers and errors: 5xx, no connection, no answer or half an answer.

    Answers that HAProxy gives in the server's stead do not count as the server's. In TCP mode,
    connections are counted instead, and those that were cut.
    """
    if is_tcp(fields):
        return Served(number(fields["stot"]), _cut(fields), _retried(fields))
    kinds = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")
    answers = sum(number(fields.get(f"hrsp_{kind}", "")) for kind in kinds)
    broken = number(fields.get("econ", "")) + number(fields.get("eresp", ""))
    errors = number(fields.get("hrsp_5xx", "")) + broken
    return Served(answers + broken, errors, _retried(fields))


def _retried(fields: Mapping[str, str]) -> int:
    # A retry elsewhere counts in both columns after no answer, in wredis alone after no connection.
    return max(number(fields.get("wretr", "")), number(fields.get("wredis", "")))


def queued(fields: Mapping[str, str]) -> int:
    """Read from the BACKEND row how many requests are waiting for any of the servers."""
    return number(fields.get("qcur", ""))
