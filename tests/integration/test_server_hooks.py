"""Hooks: bounded commands that receive their context and leave nothing running."""

import os
from pathlib import Path

import pytest

from bigred_broker.program import wait_until
from bigred_server.errors import HookError
from bigred_server.model.hook import Hook, HookCommand
from bigred_server.rollout.loop.hook_runner import HookRunner


def hooks(folder: Path, *command: str, limit_s: float = 10.0) -> HookRunner:
    return HookRunner({Hook.BEFORE: HookCommand(command, limit_s)}, folder / "hooks")


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def ends(process: int) -> None:
    wait_until(lambda: not is_alive(process), 5, f"process {process} has ended")


async def test_a_hook_receives_its_context_and_its_output_is_kept(tmp_path: Path) -> None:
    tell = hooks(tmp_path, "sh", "-c", 'echo "$BIGRED_APP $BIGRED_RELEASE"; echo more >&2')
    environment = {"BIGRED_APP": "shop", "BIGRED_RELEASE": "1.1.0 $(reboot)"}
    output = await tell.run(Hook.BEFORE, "d-1", environment)
    assert os.environ.keys().isdisjoint(environment)
    log = tmp_path / "hooks" / "d-1-before.log"
    assert output == f"{log}: shop 1.1.0 $(reboot)\nmore"
    assert log.read_text() == "shop 1.1.0 $(reboot)\nmore\n"


async def test_a_hook_gets_the_variables_that_are_named_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "the-token")
    monkeypatch.setenv("PGSERVICE", "shop")
    commands = {Hook.BEFORE: HookCommand(("env",), 10.0)}
    runner = HookRunner(commands, tmp_path / "hooks", ("PGSERVICE", "MISSING"))
    await runner.run(Hook.BEFORE, "d-1", {"BIGRED_APP": "shop"})
    lines = (tmp_path / "hooks" / "d-1-before.log").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if not line.startswith("LC_"))
    assert {"BIGRED_APP": "shop", "PGSERVICE": "shop", "HOME": str(Path.home())}.items() <= (
        found.items()
    )
    allowed = {"BIGRED_APP", "PGSERVICE", "PATH", "HOME", "TMPDIR", "LANG", "LANGUAGE", "TZ"}
    assert found.keys() - allowed == set()


async def test_a_failing_hook_is_reported_with_its_code_and_last_output(tmp_path: Path) -> None:
    with pytest.raises(HookError, match=r"it exited with code 3; .*d-1-before\.log: no such table"):
        await hooks(tmp_path, "sh", "-c", "echo no such table; exit 3").run(Hook.BEFORE, "d-1", {})


async def test_a_hook_that_cannot_be_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="/nowhere/x can't be run: No such file or directory"):
        await hooks(tmp_path, "/nowhere/x").run(Hook.BEFORE, "d-1", {})


async def test_a_hanging_hook_ends_with_all_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    hangs = hooks(tmp_path, "sh", "-c", f"sleep 60 & echo $! >{child}; wait", limit_s=0.5)
    with pytest.raises(HookError, match=r"it did not finish within 0\.5 s; it printed nothing"):
        await hangs.run(Hook.BEFORE, "d-1", {})
    ends(int(child.read_text()))


async def test_processes_left_by_a_hook_end_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    await hooks(tmp_path, "sh", "-c", f"sleep 60 & echo $! >{child}").run(Hook.BEFORE, "d-1", {})
    ends(int(child.read_text()))
