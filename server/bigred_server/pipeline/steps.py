"""Run the steps of a job in order until one fails, and report how the last one ended.

The supervisor runs the text of this file, as `python -I -c TEXT REPORT`, where the job is confined:
as another user or in a sandbox, which may not be able to read the file. It uses only the standard
library. The specification is JSON on its input; REPORT is the number of a file descriptor.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any  # a specification is JSON

_TICK_S = 0.05


class StepError(Exception):
    """The steps must stop; the message says why."""


def main(report: int) -> None:
    """Run the steps; write the code of the last command, or None and why there is none."""
    # Handled, not ignored: the commands would inherit that. They get the signal themselves.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    spec = json.load(sys.stdin)
    try:
        code, why = _run(spec), ""
    except StepError as error:
        code, why = None, str(error)
    with os.fdopen(report, "w") as file:
        json.dump({"code": code, "why": why}, file)


def _run(spec: dict[str, Any]) -> int:
    try:
        os.chdir(spec["folder"])
    except OSError as error:
        raise StepError(f"{spec['folder']} can't be entered: {error.strerror}") from error
    code = 0
    for step in spec["steps"]:
        if url := step.get("url"):
            _poll_url(url, time.monotonic() + step["within_s"])
            continue
        argv = step["argv"]
        try:
            code = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
        except OSError as error:
            raise StepError(f"{argv[0]} can't be run: {error.strerror}") from error
        if code != 0:
            break
    return code


def _poll_url(url: str, end_s: float) -> None:
    """Wait until the URL answers with a status below 500."""
    seen = "no answer"
    while time.monotonic() < end_s:
        try:
            with urllib.request.urlopen(url, timeout=2.0):  # noqa: S310 - our own Tomcat
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
            seen = f"status {error.code}"
        except OSError as error:
            seen = str(error)
        time.sleep(_TICK_S)
    raise StepError(f"{url} did not come up: {seen}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
