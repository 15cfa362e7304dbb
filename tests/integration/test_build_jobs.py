"""A build's job: its time and log are bounded, and none of its processes outlives it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.processes import living
from tests.support.until import until

from bigred_broker.program import wait_until
from bigred_server.pipeline import job
from bigred_server.pipeline.job import Job, Result, UrlProbe

DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.environ.clear()
os.execv({python!r}, [{python!r}, "-c", "import time; time.sleep(600)", {mark!r}])
"""


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """Return a word that only the command lines of this test's processes contain."""
    return f"mark-{tmp_path.name}-{os.getpid()}"


def job_of(tmp_path: Path, *argv: str, limit_s: float = 20.0, **more: str) -> Job:
    return Job([argv], tmp_path, tmp_path / "log", tmp_path, limit_s, more)


async def test_its_output_is_kept_and_its_exit_code_reported(tmp_path: Path) -> None:
    done = await job_of(
        tmp_path, "sh", "-c", 'echo "$WORD"; echo wrong >&2; exit 3', WORD="a$b"
    ).run()
    assert (done.code, done.why, done.left) == (3, "", 0)
    assert (tmp_path / "log").read_text() == "a$b\nwrong\n"


async def test_neither_it_nor_the_processes_above_it_have_the_servers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "the-token")
    up = "supervisor=$(awk '/^PPid/ {print $2}' /proc/$PPID/status)"
    shows = f'env; {up}; cat "/proc/$PPID/environ" "/proc/$supervisor/environ"'
    done = await job_of(tmp_path, "sh", "-c", shows).run()
    assert (done.code, done.why) == (0, "")
    log = (tmp_path / "log").read_text()
    assert "PATH=" in log
    assert "the-token" not in log


async def test_a_job_that_ends_its_own_runner_has_failed(tmp_path: Path) -> None:
    done = await job_of(tmp_path, "sh", "-c", "kill -9 $PPID; exit 0").run()
    assert done.code is None
    assert done.why.startswith("it was ended from outside, or could not begin (exit code -9)")


async def test_a_job_may_tidy_up_when_its_time_is_over(tmp_path: Path) -> None:
    tidies = f"trap 'touch {tmp_path}/tidy; exit 1' TERM; sleep 600 & wait"
    done = await job_of(tmp_path, "sh", "-c", tidies, limit_s=0.5).run()
    assert (done.code, done.why) == (None, "did not finish within 0.5 s")
    assert (tmp_path / "tidy").exists()


async def test_steps_end_at_the_first_failure(tmp_path: Path) -> None:
    steps = [("echo", "one"), ("false",), ("echo", "two")]
    done = await Job(steps, tmp_path, tmp_path / "log", tmp_path, 20.0).run()
    assert done.code == 1
    assert (tmp_path / "log").read_text() == "one\n"


async def test_a_missing_command_is_reported(tmp_path: Path) -> None:
    done = await job_of(tmp_path, "/no/such/program").run()
    assert (done.code, done.why) == (
        None,
        "/no/such/program can't be run: No such file or directory",
    )


async def test_a_hanging_job_is_ended_with_all_its_children(tmp_path: Path, mark: str) -> None:
    hangs = f"trap '' TERM; {sys.executable} -c 'import time; time.sleep(600)' {mark} & wait"
    done = await job_of(tmp_path, "sh", "-c", hangs, limit_s=0.5).run()
    assert (done.code, done.why) == (None, "did not finish within 0.5 s")
    assert living(mark) == []


async def test_a_daemon_does_not_outlive_it(tmp_path: Path, mark: str) -> None:
    daemon = DAEMON.format(python=sys.executable, mark=mark)
    done = await job_of(tmp_path, sys.executable, "-c", daemon).run()
    assert (done.code, done.left) == (0, 1)
    assert living(mark) == []


async def test_a_gigabyte_of_output_is_a_bounded_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LOG_BYTES", 10_000)
    prints = "echo begin; head -c 1000000000 /dev/zero; echo end"
    done = await job_of(tmp_path, "sh", "-c", prints, limit_s=60.0).run()
    assert (done.code, done.printed) == (0, 1_000_000_010)
    log = (tmp_path / "log").read_bytes()
    assert len(log) < 11_000
    assert log.startswith(b"begin\n")
    assert log.endswith(b"end\n")
    assert b"[999990010 bytes omitted]" in log


async def test_a_cancelled_job_leaves_nothing(tmp_path: Path, mark: str) -> None:
    sleeps = (sys.executable, "-c", "import time; time.sleep(600)", mark)
    running = asyncio.create_task(job_of(tmp_path, *sleeps).run())
    await until(lambda: bool(living(mark)), 10, "it runs")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert living(mark) == []


def test_it_ends_when_the_server_is_killed(tmp_path: Path, mark: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from bigred_server.pipeline.job import Job\n"
        f"here = Path({str(tmp_path)!r})\n"
        f"argv = [sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}]\n"
        "asyncio.run(Job([argv], here, here / 'log', here, 600.0).run())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as server:
        # The server's own command line has the mark as well.
        wait_until(lambda: len(living(mark)) == 2, 20, "it runs")
        server.send_signal(signal.SIGKILL)
    wait_until(lambda: living(mark) == [], 10, "nothing is left")


async def test_it_may_wait_for_a_server_that_it_started(tmp_path: Path) -> None:
    serve = "python3 -m http.server --bind 127.0.0.1 0 >port 2>&1 &"
    done = await Job(
        [("sh", "-c", serve), UrlProbe("http://127.0.0.1:1/", 0.3)],
        tmp_path,
        tmp_path / "log",
        tmp_path,
        20.0,
    ).run()
    assert done.code is None
    assert done.why.startswith("http://127.0.0.1:1/ did not come up: ")
    assert done.left == 1


def test_results_are_read_strictly() -> None:
    said = '{"code": 0, "why": "", "took_s": 0.1, "printed": 0, "left": 0}'
    assert Result.model_validate_json(said).code == 0
