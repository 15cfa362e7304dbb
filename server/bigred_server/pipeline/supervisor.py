"""Supervise one job of a build: limit its time and its log, and leave no process behind.

A separate program that uses only the standard library, run as `python -I supervisor.py SPEC` by the
server's user. The job itself, which steps.py runs, may be another user's or in a sandbox, and then
it can reach neither the supervisor nor its files. The kernel makes the supervisor the parent of
every orphaned descendant, including daemons (prctl(2), PR_SET_CHILD_SUBREAPER), and signals it when
the server dies (PR_SET_PDEATHSIG). SPEC is a JSON file; see `bigred_server.pipeline.job`.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO  # a specification is JSON

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 2.0
_REAP_S = 10.0
_CHUNK = 1 << 16
_TICK_S = 0.05
_MOST_REASON = 500


class StopError(Exception):
    """The job must stop early; the message says why."""


class Log:
    """A log that keeps the head and the tail of the output, at most `limit` bytes together."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.printed = 0
        self._file = file
        self._half = max(1, limit // 2)
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    def write(self, data: bytes) -> None:
        """Add output."""
        space = max(0, self._half - self.printed)
        self.printed += len(data)
        if space:
            self._file.write(data[:space])
            self._file.flush()
        self._keep_tail(data[space:])

    def _keep_tail(self, data: bytes) -> None:
        if not data:
            return
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    def close(self) -> None:
        """Write the tail, preceded by the number of bytes omitted."""
        tail = b"".join(self._tail)[-self._half :]
        omitted = max(0, self.printed - self._half - len(tail))
        if omitted:
            self._file.write(f"\n[{omitted} bytes omitted]\n".encode())
        self._file.write(tail)
        self._file.flush()


def main(path: str) -> int:
    """Run the steps of the specification; write the result to the file that it names."""
    spec = json.loads(Path(path).read_text(encoding="utf-8"))
    _bind_to_server(spec["parent"])
    begun_s = time.monotonic()
    with Path(spec["log"]).open("ab", buffering=0) as file:
        log = Log(file, spec["log_bytes"])
        try:
            code, why = _run(spec, log, begun_s + spec["limit_s"])
        except StopError as error:
            code, why = None, str(error)
        finally:
            left = _kill_descendants()
            log.close()
    result = {
        "code": code,
        "why": why,
        "took_s": time.monotonic() - begun_s,
        "printed": log.printed,
        "left": left,
    }
    new = Path(f"{spec['result']}.new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(result), encoding="utf-8")
    new.replace(spec["result"])
    return 0


def _bind_to_server(parent: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _on_sigterm)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the server has exited")


def _on_sigterm(_number: int, _frame: object) -> None:
    raise StopError("stopped")


def _run(spec: dict[str, Any], log: Log, end_s: float) -> tuple[int | None, str]:
    """Run the steps; return the last command's exit code, or None and the reason."""
    output, into_log = os.pipe()
    report, into_report = os.pipe()
    os.set_blocking(output, False)
    os.set_blocking(report, False)
    runner = [*spec["runner"], str(into_report)]
    try:
        child = subprocess.Popen(
            runner,
            cwd="/",
            env=spec["environment"],
            stdin=subprocess.PIPE,
            stdout=into_log,
            stderr=into_log,
            start_new_session=True,
            pass_fds=[into_report],
        )
    except OSError as error:
        raise StopError(f"{runner[0]} can't be run: {error.strerror}") from error
    finally:
        os.close(into_log)
        os.close(into_report)
    _instruct(child, {"folder": spec["folder"], "steps": spec["steps"]})
    try:
        _follow(child, output, log, end_s)
    except TimeoutError as error:
        _terminate(child)
        raise StopError(f"did not finish within {spec['limit_s']:g} s") from error
    finally:
        _drain(output, log)
    return _reported(report, child.returncode)


def _instruct(child: "subprocess.Popen[bytes]", steps: dict[str, Any]) -> None:
    assert child.stdin is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(json.dumps(steps).encode())


def _follow(child: "subprocess.Popen[bytes]", output: int, log: Log, end_s: float) -> None:
    """Log the output until the child has exited. Raise TimeoutError at the end of its time."""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        is_open = True
        while child.poll() is None:
            if time.monotonic() > end_s:
                raise TimeoutError
            if is_open:
                if selector.select(_TICK_S):
                    is_open = _read(output, log)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_TICK_S)


def _reported(report: int, code: int) -> tuple[int | None, str]:
    """Read how the steps ended. The job can write here as well, so nothing is taken for granted."""
    try:
        said = json.loads(os.read(report, _CHUNK))
        if isinstance(said["code"], int | None) and isinstance(said["why"], str):
            return said["code"], said["why"][:_MOST_REASON]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        pass
    return None, f"it was ended from outside, or could not begin (exit code {code})"


def _read(read: int, log: Log) -> bool:
    try:
        data = os.read(read, _CHUNK)
    except BlockingIOError:
        return True
    log.write(data)
    return bool(data)


def _drain(read: int, log: Log) -> None:
    """Log what the pipe still holds, without waiting for output of processes that keep it open."""
    for _ in range(64):
        try:
            data = os.read(read, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            return
        log.write(data)


def _terminate(child: "subprocess.Popen[bytes]") -> None:
    """Ask the commands to end; the child ends by itself after them, and a sandbox with it."""
    for pid in _descendants():
        if pid != child.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_S)


def _kill_descendants() -> int:
    """Kill every descendant and wait until it has ended; return how many there were."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    killed: set[int] = set()
    end_s = time.monotonic() + _REAP_S
    while time.monotonic() < end_s:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return len(killed)
        time.sleep(0.01)
    return len(killed)


def _descendants() -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name in parentheses may contain anything; the fields after it may not.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
