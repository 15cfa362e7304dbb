"""A private sshd on a free loopback port, with its own keys and its own configuration."""

import contextlib
import getpass
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_broker.program import find_program, free_port, is_listening, running
from bigred_server.settings import SshSettings

# HOME: without the start-up files of the user who runs the tests, which can take longest of all.
_CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {host_key}
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
SetEnv HOME={folder}
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True)
class Sshd:
    """The folder and port of an sshd. `start` may be called again after it has ended."""

    folder: Path
    port: int

    @property
    def settings(self) -> SshSettings:
        """The settings that reach it."""
        return SshSettings(
            host="127.0.0.1",
            port=self.port,
            user=getpass.getuser(),
            key=self.folder / "id",
            known_hosts=self.folder / "known_hosts",
        )

    @contextlib.contextmanager
    def start(self) -> Iterator[int]:
        """Run it until the block ends; yield its process id."""
        # sshd's privilege separation needs this folder; the package creates it only at boot.
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        argv = [find_program("sshd", "openssh-server"), "-D", "-e"]
        argv += ["-f", str(self.folder / "sshd_config")]
        log = self.folder / "sshd.log"
        with running("sshd", argv, log, lambda: is_listening(self.port)) as child:
            try:
                yield child.pid
            finally:
                self.cut(child.pid)

    def cut(self, sshd: int) -> None:
        """Kill the connections, and everything that runs in them, as if the machine had died."""
        for pid in descendants(sshd):
            with contextlib.suppress(ProcessLookupError):  # it ended together with another
                os.kill(pid, signal.SIGKILL)


def make(folder: Path, more: str = "") -> Sshd:
    """Create the keys and the configuration, with `more` lines appended."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    host_key, key = make_key(folder / "host"), make_key(folder / "id")
    (folder / "authorized_keys").write_text(key)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (folder / "sshd_config").write_text(
        _CONFIGURATION.format(port=port, host_key=folder / "host", folder=folder) + more
    )
    return Sshd(folder, port)


def make_key(path: Path, passphrase: str = "") -> str:
    """Create a key pair; return its public half."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, timeout=20)
    return path.with_name(f"{path.name}.pub").read_text()


def descendants(pid: int) -> list[int]:
    """Return the processes of an sshd's connections, and those that run in them."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found
