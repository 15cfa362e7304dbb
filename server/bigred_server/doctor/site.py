"""The site around: disks, clocks, files of secrets, known hosts and commands."""

import os
import shutil
import stat
from pathlib import Path

import asyncssh

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.settings.node import NodeSettings, SshSettings

_WAR_BYTES = 100_000_000  # of a release whose size nobody knows
_MB = 1_000_000
_CLOCK_WARN_S = 2.0
_CLOCK_BAD_S = 60.0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def disk_space(where: str, folder: Path, war: int, copies: int) -> Finding:
    """Judge whether a folder, or the nearest one above it, has room for that many releases.

    `war`: bytes of the largest release, 0 for unknown.
    """
    code, here = "disk", folder
    while not here.exists() and here != here.parent:
        here = here.parent
    try:
        free = shutil.disk_usage(here).free
    except OSError as error:
        text = f"{folder} can't be looked at: {error.strerror}"
        return Finding(code, Severity.UNKNOWN, where, text, "let the server read it")
    need = war or _WAR_BYTES
    told = f"{folder}: {free // _MB} MB free, a release takes {max(1, need // _MB)} MB"
    if free < 2 * need:
        return Finding(code, Severity.BAD, where, f"{told}: no deployment fits", "make room")
    if free < (copies + 1) * need:
        mend = f"make room for {copies} releases, or set `keep` lower"
        return Finding(code, Severity.WARN, where, told, mend)
    return Finding(code, Severity.OK, where, told)


def writable(where: str, folder: Path) -> Finding:
    """Judge whether we may write into a folder, or make it."""
    here = folder
    while not here.exists() and here != here.parent:
        here = here.parent
    if os.access(here, os.W_OK | os.X_OK):
        return Finding("folder", Severity.OK, where, f"{folder} can be written")
    mend = "let the user that the server runs as write there"
    return Finding("folder", Severity.BAD, where, f"{folder} can't be written", mend)


def webapps(where: str, war: Path) -> Finding:
    """Judge the folder that the WAR lies in: it must be Tomcat's, and ours to write into."""
    if not war.parent.is_dir():
        text, mend = f"there is no folder {war.parent}", "set `war` to where Tomcat finds it"
        return Finding("folder", Severity.BAD, where, text, mend)
    return writable(where, war.parent)


def secret(where: str, path: Path) -> Finding:
    """Judge a file that holds a password or a key."""
    code = "secret"
    try:
        mode, text = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        mend = "write it, readable by the server's user alone"
        return Finding(code, Severity.BAD, where, f"{path} can't be read: {error.strerror}", mend)
    if not text.strip():
        return Finding(code, Severity.BAD, where, f"{path} is empty", "write the secret into it")
    if mode & _OTHERS:
        text_ = f"{path} is open to others (mode {stat.S_IMODE(mode):o})"
        return Finding(code, Severity.WARN, where, text_, f"chmod 600 {path}")
    return Finding(code, Severity.OK, where, f"{path} is ours alone")


def known_host(where: str, ssh: SshSettings) -> Finding:
    """Judge whether the key of a host is known, without which it is never spoken to."""
    code = "known-hosts"
    scan = f"ssh-keyscan{'' if ssh.port == 22 else f' -p {ssh.port}'} {ssh.host}"
    mend = f"{scan} >> {ssh.known_hosts}, and compare it with the host's own"
    try:
        known = asyncssh.read_known_hosts(str(ssh.known_hosts))
    except (OSError, ValueError) as error:
        return Finding(code, Severity.BAD, where, f"{ssh.known_hosts} can't be read: {error}", mend)
    if not any(known.match(ssh.host, "", None if ssh.port == 22 else ssh.port)[:2]):
        text = f"{ssh.known_hosts} has no key of {ssh.host}"
        return Finding(code, Severity.BAD, where, text, mend)
    return Finding(code, Severity.OK, where, f"the key of {ssh.host} is known")


def commands(where: str, node: NodeSettings) -> list[Finding]:
    """Judge whether the programs of a node on this machine are there."""
    findings = []
    for name in ("stop", "start", "running"):
        argv = getattr(node, name)
        if argv and shutil.which(argv[0]) is None:
            text, mend = f"there is no program {argv[0]}", f"mend `{name}` of the node"
            findings.append(Finding("command", Severity.BAD, where, text, mend))
    return findings or [Finding("command", Severity.OK, where, "stop, start and running are there")]


def clock(where: str, theirs_s: float | None, before_s: float, after_s: float) -> Finding:
    """Judge a clock, read between two readings of ours (all seconds since 1970)."""
    code = "clock"
    if theirs_s is None:
        mend = "compare it by hand: date -u"
        return Finding(code, Severity.UNKNOWN, where, "it does not tell its time", mend)
    # An HTTP date is cut to whole seconds.
    off_s = max(before_s - theirs_s - 1.0, theirs_s - after_s, 0.0)
    if off_s <= _CLOCK_WARN_S:
        return Finding(code, Severity.OK, where, "its clock agrees with ours")
    level = Severity.BAD if off_s > _CLOCK_BAD_S else Severity.WARN
    text = f"its clock is {off_s:.0f} s {'behind' if theirs_s < before_s else 'before'} ours"
    return Finding(code, level, where, text, "have both set by NTP: timedatectl set-ntp true")
