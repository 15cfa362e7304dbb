"""A box in QEMU: the built card in an emulated board, with a virtual button.

    with guest(built, folder, board.VIRT) as box:
        box.write("bigred.toml", "...")
        with box.power() as live:
            live.wait_for_ssh()
            live.cable.plug()
            live.run("cat /proc/uptime")
            live.cut()

`built` is the folder of the image that `./bigred image` has built. The card is a copy, which
survives power cuts; the image itself is never changed, and nothing of QEMU is left afterwards.
"""

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.monitor import Monitor, monitor
from tests.support.sshd import make_key
from tests.support.usbredir import Cable
from tests.support.virtual_button import VirtualButton, on_socket

from bigred_broker.program import free_port, stop, tail
from bigred_image import board, boot
from bigred_image.card import NAME
from bigred_image.tools import WORK, Tools

# For a busy machine without KVM; an idle one takes a minute or two.
BOOT_DEADLINE_S = 600.0
COMMAND_DEADLINE_S = 60.0
_TRY_S = 10.0
_POLL_S = 0.2
_PAUSE_S = 1.0
# A relative path, because a UNIX socket's path has at most 107 bytes.
_SSH, _SSH_LOG, _ROOT = "ssh", "ssh.log", "root@127.0.0.1"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# systemd redraws this line many times a second.
_WAITING = re.compile(r".*Job \S+ running \(.*")
_TAIL_LINES = 15
_CONTROL, _BUTTON, _SPEAKER = "qmp", "red", "speaker"
_MORE = [
    *("-qmp", f"unix:{WORK / _CONTROL},server=on,wait=off"),
    *("-chardev", f"socket,id=red,path={WORK / _BUTTON},server=on,wait=off"),
    # QEMU finds the bus itself, and adds a hub if a board has only one socket.
    *("-device", "usb-redir,chardev=red"),
    # The output of a loudspeaker that is plugged in later.
    *("-audiodev", f"wav,id={_SPEAKER},path={WORK / _SPEAKER}.wav"),
]


class GuestError(RuntimeError):
    """The guest did not do what was expected; the text has the end of its console."""


@dataclass(frozen=True)
class Guest:
    """A box that is switched off: its card, and the command that starts it.

    `folder` has only its files; `port` leads to its sshd.
    """

    folder: Path
    machine: str
    port: int
    key: Path
    tools: Tools
    command: tuple[str, ...]
    button: VirtualButton = field(default_factory=VirtualButton)

    @property
    def console(self) -> Path:
        """The console output of all its starts."""
        return self.folder / "console.log"

    @property
    def sound(self) -> Path:
        """The sound since its last start; only on "virt"."""
        return self.folder / board.SOUND

    @property
    def speaker(self) -> Path:
        """The sound of its USB loudspeaker since its last start."""
        return self.folder / f"{_SPEAKER}.wav"

    def write(self, name: str, text: str) -> None:
        """Write a file to the card's first partition; only while it is switched off."""
        (self.folder / "put").write_text(text)
        self.tools.run("mcopy", "-n", "-o", "-i", self._boot, WORK / "put", f"::{name}")

    def read(self, name: str) -> str:
        """Return a file from there, stripped. Raises ImageError if there is none."""
        return self.tools.answer("mtype", "-i", self._boot, f"::{name}")

    def remove(self, name: str) -> None:
        """Remove a file from there; only while it is switched off."""
        self.tools.run("mdel", "-i", self._boot, f"::{name}")

    @contextlib.contextmanager
    def power(self) -> Iterator["Running"]:
        """Switch it on, with the button ready to plug in; the end of the block cuts the power."""
        with contextlib.ExitStack() as stack:
            begun = self.console.stat().st_size if self.console.exists() else 0
            output = stack.enter_context(self.console.open("ab"))
            child = subprocess.Popen(
                # It must not outlive tests that are killed.
                ["setpriv", "--pdeathsig", "KILL", *self.command, *_MORE],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            # On SIGTERM, QEMU completes its recording.
            stack.callback(stop, child)
            try:
                talk = stack.enter_context(monitor(self.folder / _CONTROL))
                cable = stack.enter_context(on_socket(self.button, self.folder / _BUTTON))
            except TimeoutError as error:
                raise GuestError(f"QEMU did not start:\n{tail(self.console)}") from error
            yield Running(self, child, talk, cable, begun, stack)

    @property
    def _boot(self) -> str:
        return f"{WORK / NAME}@@{board.BOOT_OFFSET}"


@dataclass
class Running:
    """A box that is switched on."""

    guest: Guest
    qemu: subprocess.Popen[bytes]
    monitor: Monitor
    cable: Cable
    _begun: int
    _stack: contextlib.ExitStack

    @property
    def said(self) -> str:
        """Its console output since it was switched on, without colours."""
        with self.guest.console.open("rb") as console:
            console.seek(self._begun)
            return _COLOURS.sub("", console.read().decode(errors="replace"))

    def wait_for(self, text: str, deadline_s: float = BOOT_DEADLINE_S) -> str:
        """Wait for a complete line on the console that contains the text; return it."""
        end = time.monotonic() + deadline_s
        while True:
            ended = self.qemu.poll() is not None
            lines = self.said.splitlines(keepends=True)
            for line in lines:
                if text in line and line.endswith("\n"):
                    return line.strip()
            if ended or time.monotonic() > end:
                why = "QEMU ended" if ended else f"not after {deadline_s:g} s"
                raise GuestError(f'"{text}" on the console: {why}:\n{self._end}')
            time.sleep(_POLL_S)

    def wait_for_ssh(self, deadline_s: float = BOOT_DEADLINE_S) -> None:
        """Wait until root can log in, and keep the connection for `run`."""
        end = time.monotonic() + deadline_s
        master: subprocess.Popen[bytes] | None = None
        while self._ssh("-O", "check").returncode:
            if self.qemu.poll() is not None or time.monotonic() > end:
                output = f"{tail(self.guest.folder / _SSH_LOG, 2)}\n{self._end}"
                raise GuestError(f"root can't log in after {deadline_s:g} s:\n{output}")
            if master is None or master.poll() is not None:
                master = self._log_in()
            time.sleep(_PAUSE_S)

    def run(self, command: str, given: str = "", deadline_s: float = COMMAND_DEADLINE_S) -> str:
        """Run a shell command as root, `given` on its input, and return its output.

        Raises GuestError if it fails, subprocess.TimeoutExpired if it takes too long.
        """
        done = self._ssh(command, given=given, deadline_s=deadline_s)
        if done.returncode:
            output = f"{done.stdout}{done.stderr}".strip()
            raise GuestError(f"{command}: exit code {done.returncode}:\n{output}")
        return done.stdout

    def plug_speaker(self) -> None:
        """Plug a USB loudspeaker in; only "virt" has a socket for it."""
        self.monitor.ask(
            "device_add", driver="usb-audio", id=_SPEAKER, audiodev=_SPEAKER, bus="xhci.0"
        )

    def unplug_speaker(self) -> None:
        """Unplug it."""
        self.monitor.ask("device_del", id=_SPEAKER)

    def cut(self) -> None:
        """Cut the power: nothing in the guest's memory reaches the card any more."""
        self.qemu.kill()
        self.qemu.wait()

    @property
    def _end(self) -> str:
        lines = [line.strip() for line in self.said.splitlines() if not _WAITING.match(line)]
        return "\n".join([line for line in lines if line][-_TAIL_LINES:])

    def _log_in(self) -> subprocess.Popen[bytes]:
        options = [
            *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_TRY_S:.0f}"),
            # A card has no host key before its first start.
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-i", str(self.guest.key), "-p", str(self.guest.port)),
        ]
        with (self.guest.folder / _SSH_LOG).open("ab") as log:
            child = subprocess.Popen(
                ["ssh", "-F", "none", "-M", "-N", "-S", _SSH, *options, _ROOT],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.guest.folder,
                start_new_session=True,
            )
        self._stack.callback(stop, child)
        return child

    def _ssh(
        self, *words: str, given: str = "", deadline_s: float = COMMAND_DEADLINE_S
    ) -> "subprocess.CompletedProcess[str]":
        """Use the existing connection; without one it fails at once."""
        return subprocess.run(
            ["ssh", "-F", "none", "-o", "ProxyCommand=false", "-S", _SSH, _ROOT, *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            cwd=self.guest.folder,
            check=False,
        )


@contextlib.contextmanager
def guest(built: Path, folder: Path, machine: str) -> Iterator[Guest]:
    """Create a box in a new folder; its card is deleted when the block ends."""
    folder.mkdir(parents=True)
    for name in (NAME, "tools"):
        (folder / name).symlink_to((built / name).resolve())
    make_key(folder / "id")
    port = free_port()
    command = boot.prepared(folder, machine, port, folder / "id.pub")
    work = folder / f"boot-{machine}"
    tools = Tools(folder / "tools", work, folder / "tools.log")
    try:
        yield Guest(work, machine, port, folder / "id", tools, tuple(map(str, command)))
    finally:
        (work / NAME).unlink()
