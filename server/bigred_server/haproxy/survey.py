"""What a HAProxy has, read before Bigred is configured: its backends and configuration file."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import config_files, configfile, rows, runtime, tables
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.config_text import ProcessFacts


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
    `environment`: its variables, None if it does not show them. `modes`: the mode of each backend,
    as far as it reports them.
    """

    address: str
    process: tables.Process
    level: str
    backends: dict[str, tuple[SurveyedServer, ...]]
    config: str | None = None
    unread: str = ""
    environment: Mapping[str, str] | None = None
    modes: Mapping[str, str] = field(default_factory=dict)

    def proxy(self, backend: str) -> Proxy | None:
        """Return a backend as its configuration has it, None if that is not known."""
        facts = ProcessFacts(self.environment, self.process.version)
        return configfile.backend(self.config or "", backend, facts)


async def survey(address: str) -> Survey:
    """Read everything a HAProxy has. Raise HaproxyError on failure."""
    level = (await runtime.command(address, "show cli level")).strip()
    answer = await runtime.command(
        address, "show info; show backend; show servers state; show stat"
    )
    try:
        info, names, states, stats = answer.strip().split("\n\n")
        process = tables.process(info)
        backends = _backends(names, states)
        modes = _modes(stats)
    except (KeyError, ValueError) as error:
        raise HaproxyError(
            f"HAProxy at {address} sent an answer we can't read: {answer[:80]!r}; "
            "is this its 'stats socket'?"
        ) from error
    environment = await _environment(address)
    config, unread = _config(address, process, environment or {}, backends)
    return Survey(address, process, level, backends, config, unread, environment, modes)


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
    lines = tables.server_states(states)
    return {
        name: tuple(
            SurveyedServer(line["srv_name"], rows.address(line), line.get("srv_use_ssl") == "1")
            for line in lines
            if line["be_name"] == name
        )
        for name in found
    }


def _modes(stats: str) -> dict[str, str]:
    lines = [line for line in tables.stat(stats) if line["svname"] == "BACKEND"]
    return {line["pxname"]: mode for line in lines if (mode := line.get("mode", ""))}


async def _environment(address: str) -> dict[str, str] | None:
    # A socket that may not ask this, or an older HAProxy, answers with a sentence.
    answer = await runtime.command(address, "show env")
    pairs = [line.partition("=") for line in answer.splitlines() if line.strip()]
    if not pairs or not all(separator for _, separator, _ in pairs[:1]):
        return None
    return {name: value for name, separator, value in pairs if separator}


def _config(
    address: str, process: tables.Process, environment: Mapping[str, str], backends: Collection[str]
) -> tuple[str | None, str]:
    # In a container the path names a file of the container, though one of ours may match it.
    if not is_local(address) or not config_files.is_here(process.pid):
        return None, f"HAProxy at {address} is on another machine or in a container"
    return config_files.texts(process.pid, environment, backends)
