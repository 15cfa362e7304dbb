"""A private HAProxy for the demo and the tests: runs it, reloads it and ends it for certain.

A site's own HAProxy is never started, stopped or reloaded from here.
"""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_broker.program import ProgramError, find_program, is_listening, running, wait_until
from bigred_server.haproxy.configuration import BackendConfig, configuration

# HAProxy binds its socket under a longer name, then renames it; the kernel allows 107 bytes.
_LONGEST_SOCKET_PATH = 90


@dataclass(frozen=True)
class HaproxyInstance:
    """One HAProxy: a folder of its own, a port on 127.0.0.1, and the backend it serves."""

    folder: Path
    port: int
    backend: BackendConfig

    @property
    def admin_socket(self) -> Path:
        """The UNIX socket of the Runtime API, level admin."""
        return self.folder.resolve() / "admin.sock"

    @property
    def log(self) -> Path:
        """The file of HAProxy's messages about itself and the nodes' changes; no requests."""
        return self.folder / "haproxy.log"

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Serve until the block ends. Raise ProgramError if the port is taken or HAProxy fails."""
        if is_listening(self.port):
            # A second HAProxy would start without a warning and share the first one's requests.
            raise ProgramError(f"port {self.port} is taken; stop the program that listens on it")
        if len(os.fsencode(self.admin_socket)) > _LONGEST_SOCKET_PATH:
            raise ProgramError(f"{self.admin_socket} is too long for a socket; use a shorter path")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._state_file.write_text("1\n")  # the format's version, and no states
        argv = [self._write_config(), "-W", "-f", str(self._config), "-p", str(self._pid_file)]
        with running("haproxy", argv, self.log, lambda: self._worker() is not None):
            yield

    def reload(self, deadline_s: float = 10.0) -> None:
        """Reload: a new process takes over the nodes' states; the old one finishes its requests.

        Raise ProgramError if HAProxy refuses the configuration, or if the new process does not
        answer before the deadline.
        """
        old = self._worker()
        if old is None:
            raise ProgramError(f"no HAProxy answers at {self.admin_socket}")
        self._write_config()
        self._state_file.write_text(self._ask("show servers state"))
        os.kill(int(self._pid_file.read_text()), signal.SIGUSR2)
        wait_until(lambda: self._worker() not in (None, old), deadline_s, "HAProxy has reloaded")

    @property
    def _config(self) -> Path:
        return self.folder / "haproxy.cfg"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "haproxy.pid"

    @property
    def _state_file(self) -> Path:
        return self.folder.resolve() / "servers.state"

    def _write_config(self) -> str:
        # Writes the configuration, has HAProxy check it, and returns the path of HAProxy's program.
        program = find_program("haproxy", "haproxy")
        text = configuration(self.port, self.backend, self.admin_socket, self._state_file)
        self._config.write_text(text)
        check = subprocess.run(
            [program, "-c", "-f", str(self._config)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        if check.returncode != 0:
            raise ProgramError(f"HAProxy refuses {self._config}:\n{check.stdout}{check.stderr}")
        return program

    def _worker(self) -> str | None:
        # The line with the pid of the serving process, None while HAProxy does not answer.
        try:
            info = self._ask("show info")
        except OSError:
            return None
        return next((line for line in info.splitlines() if line.startswith("Pid:")), None)

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(str(self.admin_socket))
            sock.sendall(f"{command}\n".encode())
            with sock.makefile("rb") as answer:
                return answer.read().decode()
