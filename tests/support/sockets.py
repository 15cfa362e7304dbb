"""Sockets in the file system that another program opens when it is ready."""

import os
import socket
import time
from pathlib import Path

_POLL_S = 0.02


def listens(path: Path) -> bool:
    """Return whether somebody listens at a socket; its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as line:
        try:
            line.connect(str(path))
        except OSError:
            return False
        return True


def connect(path: Path, deadline_s: float) -> socket.socket:
    """Connect to a socket as soon as somebody listens there. Raises TimeoutError."""
    end = time.monotonic() + deadline_s
    # The path of a socket has at most 107 bytes, and a test's folder may be longer.
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        while True:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(f"/proc/self/fd/{folder}/{path.name}")
            except OSError as error:
                line.close()
                if time.monotonic() > end:
                    raise TimeoutError(f"{path}: nobody listens after {deadline_s:g} s") from error
                time.sleep(_POLL_S)
            else:
                return line
    finally:
        os.close(folder)
