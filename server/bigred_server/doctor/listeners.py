"""Check who listens on HAProxy's ports: a second HAProxy silently takes some of the users.

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
    """Return the TCP ports in the addresses of `bind` lines."""
    named = [bind.rpartition(":")[2] for bind in binds if not bind.startswith(("/", "unix@"))]
    return {int(port) for port in named if port.isdigit()}


def listening(table: str, wanted: set[int]) -> dict[tuple[str, int], list[str]]:
    """Read /proc/net/tcp: return the inodes of listening sockets by address and port."""
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
    """Check for shared ports; `owners` names the process family of each inode, where known."""
    code, findings = "haproxy-port", []
    for (_, port), inodes in sockets.items():
        families = {owners[inode] for inode in inodes if inode in owners}
        if len(families) > 1:
            text = f"unrelated processes share port {port}, and Bigred controls only one of them: "
            text += ", ".join(sorted(families))
            fix = "stop the others: they ignore which nodes are out of service"
            findings.append(Finding(code, Severity.BAD, where, text, fix))
        elif len(inodes) > 1 and len(families) < 1:
            text = f"port {port} has {len(inodes)} listeners, but their processes can't be seen"
            fix = f"check as root: ss -ltnp 'sport = :{port}'"
            findings.append(Finding(code, Severity.UNKNOWN, where, text, fix))
    if not findings and sockets:
        numbers = ", ".join(sorted({str(port) for _, port in sockets}))
        text = f"nobody else listens on port {numbers}"
        findings.append(Finding(code, Severity.OK, where, text))
    return findings


def check(where: str, binds: Iterable[str]) -> list[Finding]:
    """Check this machine's listeners on the ports of these `bind` addresses."""
    wanted = ports(binds)
    sockets: dict[tuple[str, int], list[str]] = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            sockets |= listening(Path("/proc/net", name).read_text(), wanted)
    inodes = {inode for group in sockets.values() for inode in group}
    return shared(where, sockets, _owners(inodes))


def _owners(inodes: set[str]) -> dict[str, str]:
    # The kernel hides other users' processes unless we are root.
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
    # HAProxy's workers, old and new, are children of its master.
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
