"""Cleans up the demo site: nothing that the demo started survives it, however the demo ended.

Every process of a demo site inherits an environment variable that names the site's folder. This
mark finds them all, even the Tomcats, which detach from their parent. A watchdog process cleans up
if the demo was killed before it could do so itself.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "BIGRED_DEMO_SITE"
_GRACE_S = 3.0


def marked(folder: Path) -> list[int]:
    """List the processes that carry the demo site's mark, except this one."""
    mark = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def clean_up(folder: Path) -> None:
    """End every process of the demo site, and remove its folder."""
    end_s = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    while processes := marked(folder):
        for process in processes:
            _signal(process, number)
        if time.monotonic() > end_s:
            number = signal.SIGKILL
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def start_watchdog(folder: Path) -> "subprocess.Popen[bytes]":
    """Start the watchdog; it cleans up when its standard input is closed for whatever reason."""
    environment = {key: value for key, value in os.environ.items() if key != MARK}
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _watch(folder: Path) -> None:
    sys.stdin.buffer.read()
    clean_up(folder)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
