"""Check the machine: disks, folders, clocks, secret files, known hosts and commands."""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.journal.disk import nearest
from bigred_server.settings.node import NodeSettings, SshSettings
from bigred_server.web import open_files

_WAR_BYTES = 100_000_000  # assumed for a release of unknown size
_MB = 1_000_000
_CLOCK_WARN_S = 2.0
_CLOCK_BAD_S = 60.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def disk_space(where: str, folder: Path, war: int, copies: int) -> Finding:
    """Check that a folder's disk has room for that many releases.

    `war`: size of the largest release in bytes, 0 if unknown.
    """
    code, here = "disk", nearest(folder)
    try:
        free = shutil.disk_usage(here).free
    except OSError as error:
        text = f"the disk of {folder} can't be read: {error.strerror}"
        return Finding(code, Severity.UNKNOWN, where, text, "give the server's user access to it")
    need = war or _WAR_BYTES
    text = f"{folder}: {free // _MB} MB free, a release takes {max(1, need // _MB)} MB"
    if free < 2 * need:
        text = f"{text}: no room for a deployment"
        return Finding(code, Severity.BAD, where, text, "free some disk space")
    if free < (copies + 1) * need:
        text = f"{text}: no room for the {copies} that `keep` asks for"
        fix = "free some disk space, or lower `keep`"
        return Finding(code, Severity.WARN, where, text, fix)
    return Finding(code, Severity.OK, where, text)


def spare_space(where: str, folder: Path, need: int, what: str) -> Finding:
    """Check that a folder's disk has `need` bytes free for `what`."""
    code, here = "disk", nearest(folder)
    try:
        free = shutil.disk_usage(here).free
    except OSError as error:
        text = f"the disk of {folder} can't be read: {error.strerror}"
        return Finding(code, Severity.UNKNOWN, where, text, "give the server's user access to it")
    text = f"{folder}: {free // _MB} MB free, {what} need {max(1, need // _MB)} MB"
    if free < need:
        fix = "free some disk space: without it, nothing can begin"
        return Finding(code, Severity.BAD, where, text, fix)
    return Finding(code, Severity.OK, where, text)


def writable(where: str, folder: Path) -> Finding:
    """Check that we may write to a folder, or create it."""
    if os.access(nearest(folder), os.W_OK | os.X_OK):
        return Finding("folder", Severity.OK, where, f"{folder} is writable")
    fix = "give the server's user write access to it"
    return Finding("folder", Severity.BAD, where, f"{folder} is not writable", fix)


def files_for_api(where: str, connections: int) -> Finding:
    """Check that a process of this user may open enough files for that many connections."""
    code, limit = "open-files", open_files.attainable()
    room, needed = open_files.room(limit), open_files.needed(connections)
    text = f"a process may open {limit} files, enough for {min(room, connections)} connections"
    if room < connections:
        text = f"{text} of the API; `most_connections` is {connections}"
        fix = f"set LimitNOFILE={needed} for the server, or lower `most_connections`"
        return Finding(code, Severity.WARN, where, text, fix)
    return Finding(code, Severity.OK, where, text)


def webapps(where: str, war: Path) -> Finding:
    """Check that Tomcat's folder for the WAR exists and that we may write to it."""
    if not war.parent.is_dir():
        text = f"the folder {war.parent} does not exist"
        fix = "set `war` to the path where Tomcat looks for the WAR"
        return Finding("folder", Severity.BAD, where, text, fix)
    return writable(where, war.parent)


def secret(where: str, path: Path) -> Finding:
    """Check a file that holds a password or a key."""
    code = "secret"
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        fix = "create it, readable only by the server's user"
        return Finding(code, Severity.BAD, where, f"{path} can't be read: {error.strerror}", fix)
    if not content.strip():
        return Finding(code, Severity.BAD, where, f"{path} is empty", "write the secret to it")
    if mode & _OTHERS:
        problem = f"{path} is accessible to other users (mode {stat.S_IMODE(mode):o})"
        return Finding(code, Severity.WARN, where, problem, f"chmod 600 {path}")
    return Finding(code, Severity.OK, where, f"{path} is accessible only to its owner")


def known_host(where: str, ssh: SshSettings) -> Finding:
    """Check that the key of a host is known; without it the server never connects."""
    code = "known-hosts"
    scan = f"ssh-keyscan{'' if ssh.port == 22 else f' -p {ssh.port}'} {ssh.host}"
    fix = f"{scan} >> {ssh.known_hosts}, then compare the key with the host's own"
    try:
        known = asyncssh.read_known_hosts(str(ssh.known_hosts))
    except (OSError, ValueError) as error:
        return Finding(code, Severity.BAD, where, f"{ssh.known_hosts} can't be read: {error}", fix)
    if not any(known.match(ssh.host, "", None if ssh.port == 22 else ssh.port)[:2]):
        text = f"{ssh.known_hosts} has no key for {ssh.host}, so the server can't connect"
        return Finding(code, Severity.BAD, where, text, fix)
    return Finding(code, Severity.OK, where, f"the host key of {ssh.host} is known")


def commands(where: str, node: NodeSettings) -> list[Finding]:
    """Check that the programs that a node on this machine names exist."""
    findings = []
    for name in ("stop", "start", "running"):
        argv = getattr(node, name)
        if argv and shutil.which(argv[0]) is None:
            text = f"the program {argv[0]} does not exist"
            fix = f"correct the node's `{name}`, or install the program"
            findings.append(Finding("command", Severity.BAD, where, text, fix))
    if node.stop and "-force" in node.stop and _is_catalina(node.stop):
        text = "`stop` uses -force: Debian's catalina.sh then exits with 1, often before it stops"
        fix = "stop Tomcat by systemctl or pkill, as docs/nodes.md shows"
        findings.append(Finding("command", Severity.WARN, where, text, fix))
    text = "the programs of stop, start and running exist"
    return findings or [Finding("command", Severity.OK, where, text)]


def _is_catalina(argv: Sequence[str]) -> bool:
    return any(Path(word).name in ("catalina.sh", "shutdown.sh") for word in argv)


def clock(where: str, theirs_s: float | None, before_s: float, after_s: float) -> Finding:
    """Check a clock, read between two readings of ours (all in seconds since 1970)."""
    code = "clock"
    if theirs_s is None:
        fix = "compare the clocks by hand: date -u"
        return Finding(code, Severity.UNKNOWN, where, "it does not report its time", fix)
    # An HTTP date is truncated to whole seconds.
    off_s = max(before_s - theirs_s - 1.0, theirs_s - after_s, 0.0)
    if off_s <= _CLOCK_WARN_S:
        return Finding(code, Severity.OK, where, "its clock agrees with the server's")
    level = Severity.BAD if off_s > _CLOCK_BAD_S else Severity.WARN
    side = "behind" if theirs_s < before_s else "ahead of"
    text = f"its clock is {off_s:.0f} s {side} the server's"
    return Finding(code, level, where, text, "synchronise both by NTP: timedatectl set-ntp true")
