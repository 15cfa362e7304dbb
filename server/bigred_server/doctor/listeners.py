"""Who listens on HAProxy's ports: a second HAProxy on a port takes a share of its users, silently.

Linux lets several processes of one user listen on one port (SO_REUSEPORT, which HAProxy sets).
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity

_LISTEN = "0A"
_MASTER = "PPid:"


def ports(binds: Iterable[str]) -> set[int]:
    """Read the TCP ports from the addresses of `bind` lines."""
    named = [bind.rpartition(":")[2] for bind in binds if not bind.startswith(("/", "unix@"))]
    return {int(port) for port in named if port.isdigit()}


def listening(table: str, wanted: set[int]) -> dict[tuple[str, int], list[str]]:
    """Read /proc/net/tcp: the inodes of the sockets that listen, by address and port."""
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            address, _, port = fields[1].rpartition(":")
            if int(port, 16) in wanted:
                found[address, int(port, 16)].append(fields[9])
    return dict(found)


def shared(
    where: str,
    sockets: Mapping[tuple[str, int], list[str]],
    owners: Mapping[str, str],
) -> list[Finding]:
    """Judge who shares a port; `owners` says whose process family an inode is, where known."""
    code, findings = "haproxy-port", []
    for (_, port), inodes in sockets.items():
        families = {owners[inode] for inode in inodes if inode in owners}
        if len(families) > 1:
            text = f"port {port} is shared by processes that know nothing of each other: "
            text += ", ".join(sorted(families))
            mend = (
                "stop all but one: we talk to one of them, and the others send users as they like"
            )
            findings.append(Finding(code, Severity.BAD, where, text, mend))
        elif len(inodes) > 1 and len(families) < 1:
            text = f"port {port} has {len(inodes)} listeners, and whose they are can't be seen"
            mend = f"as root: ss -ltnp 'sport = :{port}'"
            findings.append(Finding(code, Severity.UNKNOWN, where, text, mend))
    if not findings and sockets:
        told = ", ".join(sorted({str(port) for _, port in sockets}))
        findings.append(Finding(code, Severity.OK, where, f"alone on port {told}"))
    return findings


def look(where: str, binds: Iterable[str]) -> list[Finding]:
    """Look at this machine's listeners on these addresses."""
    wanted = ports(binds)
    sockets: dict[tuple[str, int], list[str]] = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            sockets |= listening(Path("/proc/net", name).read_text(), wanted)
    inodes = {inode for several in sockets.values() for inode in several}
    return shared(where, sockets, _owners(inodes))


def _owners(inodes: set[str]) -> dict[str, str]:
    # Of a process that is not ours nothing is shown, unless we are root.
    owners = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for handle in (folder / "fd").iterdir():
                with contextlib.suppress(OSError):
                    inode = str(handle.readlink()).removeprefix("socket:[").removesuffix("]")
                    if inode in inodes:
                        owners[inode] = _family(folder)
    return owners


def _family(folder: Path) -> str:
    # HAProxy's workers are children of its master, old and new ones alike.
    pid, parent = folder.name, _parent(folder)
    master = Path("/proc", parent)
    if parent != "1" and _command(master) == _command(folder):
        pid = parent
    return f"{_command(folder)} (pid {pid})"


def _parent(folder: Path) -> str:
    lines = (folder / "status").read_text().splitlines()
    return next((line.split()[1] for line in lines if line.startswith(_MASTER)), "1")


def _command(folder: Path) -> str:
    return (folder / "comm").read_text().strip()
