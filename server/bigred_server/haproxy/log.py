"""HAProxy's log as values: the log format we ask for, and its strict parser. Pure.

Source of the variables: HAProxy's configuration manual, 8.2.4 Custom log format and 8.5 Session
state at disconnection.
"""

from bigred_server.model.log_line import LogLine

# The frontend must have this format. The client is a hash: no address or cookie leaves HAProxy.
# The path is last, because the client chose it; HAProxy lets no blank or line break through.
FORMAT = "bigred1 %Ts %ms %b %s %ST %Tr %Ta %tsc %rc %[var(txn.bigred),xxh32] %HM %HP"
# The client is the session if there is one, else the address.
LINES = (
    "http-request set-var(txn.bigred) src",
    "http-request set-var(txn.bigred) req.cook({cookie}) if {{ req.cook({cookie}) -m found }}",
    f'log-format "{FORMAT}"',
)
LENGTH = 4096
_FIELDS = 13


def read(datagram: bytes) -> LogLine | None:
    """Parse one syslog datagram; return None if the line is not in our format."""
    text = datagram.decode("utf-8", "replace")
    begin = text.find("bigred1 ")
    fields = text[begin:].rstrip("\n").split(" ") if begin >= 0 else []
    if len(fields) != _FIELDS:
        return None
    second, milli, backend, server, status, took, total, state, *rest = fields[1:]
    retries, client, method, path = rest
    try:
        came = int(second) + int(milli) / 1000
        return LogLine(
            came=came,
            at=came + max(0, int(total.lstrip("+"))) / 1000,
            backend=backend,
            server=server,
            status=int(status),
            took_ms=int(took),
            state=state,
            retries=int(retries.lstrip("+")),
            client=client,
            method=method,
            path=path,
        )
    except ValueError:
        return None
