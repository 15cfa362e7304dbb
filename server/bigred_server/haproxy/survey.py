"""What a HAProxy has, read before Bigred is configured: its backends and configuration file."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import rows, runtime


@dataclass(frozen=True)
class SurveyedServer:
    """A server line: its name, its "host:port" ("" if it has none), and whether it uses TLS."""

    name: str
    address: str
    tls: bool = False


@dataclass(frozen=True)
class Survey:
    """One HAProxy as a whole.

    `config`: the text of its configuration; None if it can't be read, and then `unread` says why.
    """

    address: str
    process: rows.Process
    level: str
    backends: dict[str, tuple[SurveyedServer, ...]]
    config: str | None = None
    unread: str = ""


async def survey(address: str) -> Survey:
    """Read everything a HAProxy has. Raise HaproxyError on failure."""
    level = (await runtime.command(address, "show cli level")).strip()
    answer = await runtime.command(address, "show info; show backend; show servers state")
    try:
        info, names, states = answer.strip().split("\n\n")
        process = rows.process(info)
        backends = _backends(names, states)
    except (KeyError, ValueError) as error:
        raise HaproxyError(
            f"HAProxy at {address} sent an answer we can't read: {answer[:80]!r}; "
            "is this its 'stats socket'?"
        ) from error
    config, unread = await _config(address, process)
    return Survey(address, process, level, backends, config, unread)


def is_local(address: str) -> bool:
    """Return whether a Runtime API address ("host:port" or a path) is on this machine."""
    if address.startswith("/"):
        return True
    host = address.rpartition(":")[0].strip("[]") or "127.0.0.1"
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _backends(names: str, states: str) -> dict[str, tuple[SurveyedServer, ...]]:
    found = [line.strip() for line in names.splitlines() if line and not line.startswith("#")]
    lines = rows.server_states(states)
    return {
        name: tuple(
            SurveyedServer(line["srv_name"], rows.address(line), line.get("srv_use_ssl") == "1")
            for line in lines
            if line["be_name"] == name
        )
        for name in found
    }


async def _config(address: str, process: rows.Process) -> tuple[str | None, str]:
    # In a container the path names a file of the container, though one of ours may match it.
    if not is_local(address) or not _is_here(process):
        return None, f"HAProxy at {address} is on another machine or in a container"
    answer = (await runtime.command(address, "show env HAPROXY_CFGFILES")).strip()
    paths = [path for path in answer.partition("=")[2].split(";") if path]
    if not paths:
        return None, f"HAProxy at {address} does not say where its configuration is"
    try:
        # A path may be relative to the directory that HAProxy was started in.
        texts = [_absolute(process, path).read_text("utf-8", "replace") for path in paths]
        return "\n".join(texts), ""
    except OSError as error:
        return None, f"{error.filename} can't be read: {error.strerror}"


def _is_here(process: rows.Process) -> bool:
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip() == "haproxy"
    except OSError:
        return False


def _absolute(process: rows.Process, path: str) -> Path:
    if path.startswith("/"):
        return Path(path)
    return Path(f"/proc/{process.pid}/cwd").readlink() / path
