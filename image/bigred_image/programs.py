"""Runs other programs. Their output goes to a log, whose end is shown if one of them fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bigred_image.errors import ImageError

_TAIL_LINES = 15


def run(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a program to its end and append its output to a log. Raises ImageError if it fails."""
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                check=False,
            )
        except FileNotFoundError as error:
            raise ImageError(f"{command[0]} is not installed") from error
    if done.returncode:
        lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        end = "\n".join(f"    {line}" for line in lines)
        raise ImageError(f"{command[0]} failed ({done.returncode}); {log} ends with\n{end}")


def answer(command: Sequence[str | Path], folder: Path | None = None) -> str:
    """Run a program and return its output. Raises ImageError if it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder)
    except FileNotFoundError as error:
        raise ImageError(f"{words[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise ImageError(f"{' '.join(words)} failed: {error.stderr.strip()}") from error
    return done.stdout.strip()
