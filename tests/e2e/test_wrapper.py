"""The script `./bigred` on a machine that has only a handful of tools.

Nothing is installed and no network is used: python3, pip, sudo and apt-get are stand-ins that
record their arguments. Only what the script finds by a fixed path is the real machine's.
"""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20
TOOLS = (
    *("basename", "cat", "chmod", "cksum", "cp", "cut", "dirname", "find", "flock", "grep"),
    *("head", "mkdir", "paste", "readlink", "rm", "sh", "sleep", "sort"),
)

FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
  "-V "*) echo Python 3.12.0 ;;
  "-m venv")
    echo "venv $3" >>"$NOTES"
    rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
    printf '#!/bin/sh\\necho "bigred $* in $PWD"\\n' >"$4/bin/bigred"
    for tool in ruff mypy lint-imports; do
      printf '#!/bin/sh\\necho "%s $*"; [ ! -e "$BROKEN.%s" ]\\n' $tool $tool >"$4/bin/$tool"
    done
    chmod +x "$4"/bin/* ;;
  "-m pip") echo pip >>"$NOTES"; sleep "${PIP_TAKES_S:-0}"; [ ! -e "$BROKEN.pip" ] ;;
  "-m pytest") shift 2; echo "pytest $* in $PWD" ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A checkout, a PATH of its own, and the recorded calls of the stand-ins."""

    home: Path

    @property
    def wrapper(self) -> Path:
        return self.home / "checkout" / "bigred"

    @property
    def notes(self) -> list[str]:
        notes = self.home / "notes"
        return notes.read_text().splitlines() if notes.exists() else []

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": str(self.home / "bin"),
            "NOTES": str(self.home / "notes"),
            "BROKEN": str(self.home / "broken"),
        }

    def has(self, tool: str, script: str) -> None:
        path = self.home / "bin" / tool
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def breaks(self, tool: str) -> Path:
        broken = self.home / f"broken.{tool}"
        broken.touch()
        return broken

    def call(
        self, *words: str, wrapper: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(wrapper or self.wrapper), *words],
            cwd=cwd or self.home,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        real = shutil.which(tool)
        assert real, f"{tool} is needed for this test"
        (tmp_path / "bin" / tool).symlink_to(real)
    machine.wrapper.parent.mkdir()
    shutil.copy(ROOT / "bigred", machine.wrapper)
    (machine.wrapper.parent / "requirements.txt").write_text("click==8\n")
    (machine.wrapper.parent / "pyproject.toml").write_text("[project]\n")
    python = tmp_path / "bin" / "python3"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    machine.has("id", "echo 1000")
    return machine


def missing(verb: str) -> list[str]:
    """Return what the PATH above lacks, less what the script finds by a fixed path."""

    def somewhere(*patterns: str) -> bool:
        return any(any(Path("/").glob(pattern)) for pattern in patterns)

    found = {
        "mosquitto": somewhere("usr/sbin/mosquitto", "sbin/mosquitto"),
        "haproxy": somewhere("usr/sbin/haproxy", "sbin/haproxy"),
        "tomcat10-common": somewhere("usr/share/tomcat10/lib/servlet-api.jar"),
        "postgresql": somewhere("usr/lib/postgresql/*/bin/initdb"),
        "tomcat10-admin": somewhere("usr/share/tomcat10-admin/manager/WEB-INF/web.xml"),
        "default-jdk-headless": False,
        "espeak-ng": False,
        "alsa-utils": False,
        "libusb-1.0-0": somewhere("usr/lib*/libusb-1.0.so.0", "usr/lib/*/libusb-1.0.so.0"),
        "openssh-server": somewhere("usr/sbin/sshd"),
    }
    if verb != "demo":
        found |= {"git": False, "mercurial": False}
    return [package for package, here in found.items() if not here]


def test_the_first_call_creates_the_venv_and_the_second_runs_the_verb_at_once(
    machine: Machine,
) -> None:
    first = machine.call("status", "--json")
    assert first.returncode == 0, first.stderr
    assert first.stdout == f"bigred status --json in {machine.home}\n"
    assert "about a minute" in first.stderr
    assert machine.notes == ["venv --clear", "pip", "pip"]

    began = time.monotonic()
    second = machine.call("status")
    assert time.monotonic() - began < 1
    assert second.stderr == ""
    assert machine.notes == ["venv --clear", "pip", "pip"]


def test_a_call_through_two_symlinks_from_another_folder_finds_the_checkout(
    machine: Machine,
) -> None:
    there = machine.home / "an other folder"
    there.mkdir()
    (there / "near").symlink_to("../checkout/bigred")
    (there / "far").symlink_to(there / "near")

    assert machine.call("status", wrapper=there / "far", cwd=there).stdout == (
        f"bigred status in {there}\n"
    )
    assert (machine.wrapper.parent / ".venv" / "bigred.stamp").exists()


def test_an_interrupted_first_call_is_repeated_by_the_next(machine: Machine) -> None:
    broken = machine.breaks("pip")
    assert machine.call("status").returncode == 1
    broken.unlink()

    assert machine.call("status").returncode == 0
    assert machine.notes == ["venv --clear", "pip", "venv --clear", "pip", "pip"]


def test_changed_requirements_are_installed_into_the_existing_venv(machine: Machine) -> None:
    machine.call("status")
    (machine.wrapper.parent / "requirements.txt").write_text("click==9\n")

    assert "requirements have changed" in machine.call("status").stderr
    assert machine.notes == ["venv --clear", "pip", "pip", "pip", "pip"]
    assert machine.call("status").stderr == ""


def test_a_moved_checkout_gets_a_new_venv(machine: Machine) -> None:
    machine.call("status")
    moved = machine.wrapper.parent.rename(machine.home / "moved")

    assert machine.call("status", wrapper=moved / "bigred").returncode == 0
    assert machine.notes.count("venv --clear") == 2


def test_of_two_first_calls_at_once_one_prepares_and_the_other_waits(machine: Machine) -> None:
    calls = [
        subprocess.Popen(
            [str(machine.wrapper), "status"],
            cwd=machine.home,
            env=machine.env | {"PIP_TAKES_S": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [call.communicate(timeout=DEADLINE_S) for call in calls]

    assert [call.returncode for call in calls] == [0, 0]
    assert sorted("waiting" in stderr for _, stderr in answers) == [False, True]
    assert machine.notes == ["venv --clear", "pip", "pip"]


def test_without_root_and_sudo_the_exact_packages_are_named(machine: Machine) -> None:
    machine.has("apt-get", 'echo apt-get >>"$NOTES"')

    answer = machine.call("test")

    packages = " ".join(missing("test"))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert f"bigred: missing: {packages}\n" in answer.stderr
    assert answer.stderr.endswith(
        f"  apt-get update && apt-get install --no-install-recommends {packages}\n"
    )
    assert machine.notes == []


def test_without_apt_the_exact_packages_are_named(machine: Machine) -> None:
    answer = machine.call("demo")
    assert answer.returncode == 1
    assert " ".join(missing("demo")) in answer.stderr
    assert "no apt-get" in answer.stderr


def test_sudo_installs_only_what_is_missing_and_each_package_has_a_reason(
    machine: Machine,
) -> None:
    machine.has("apt-get", "exit 1")
    machine.has("sudo", 'shift 5; echo "sudo $*" >>"$NOTES"')

    answer = machine.call("test", "-k", "lid")

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == f"pytest -k lid in {machine.wrapper.parent}\n"
    assert machine.notes[0] == " ".join(["sudo", *missing("test")])
    for package in missing("test"):
        assert f"bigred:   {package}: " in answer.stderr


def test_the_fast_tests_need_no_package(machine: Machine) -> None:
    answer = machine.call("test", "--fast", "-x")

    assert answer.returncode == 0, answer.stderr
    assert "installing from the distribution" not in answer.stderr
    assert answer.stdout.startswith("pytest --numprocesses=logical ")
    assert answer.stdout.endswith(f" tests/unit -x in {machine.wrapper.parent}\n")


def test_a_failed_installation_names_the_packages_and_the_command(machine: Machine) -> None:
    machine.has("apt-get", "exit 1")
    machine.has("sudo", 'echo "sudo: a password is required" >&2; exit 1')

    answer = machine.call("test")

    assert answer.returncode == 1
    assert "a password is required" in answer.stderr
    packages = " ".join(missing("test"))
    assert f"could not install: {packages}" in answer.stderr


def test_check_runs_every_tool_and_names_all_failures(machine: Machine) -> None:
    assert machine.call("check").returncode == 0
    machine.breaks("ruff")
    machine.breaks("lint-imports")

    answer = machine.call("check")

    assert answer.returncode == 1
    assert "mypy" in answer.stdout
    assert answer.stderr.splitlines()[-1] == (
        "bigred: failed: ruff check, ruff format --check, lint-imports --no-logo"
    )


def test_an_unknown_bench_lists_the_names_and_prepares_nothing(machine: Machine) -> None:
    bench = machine.wrapper.parent / "tests" / "bench"
    bench.mkdir(parents=True)
    (bench / "press.py").touch()
    (bench / "looks.py").touch()

    answer = machine.call("bench", "pres")

    assert answer.returncode == 1
    assert "  looks press\n" in answer.stderr
    assert machine.notes == []


def test_help_prepares_nothing(machine: Machine) -> None:
    for words in ([], ["help"], ["--help"]):
        answer = machine.call(*words)
        assert answer.returncode == 0
        assert answer.stdout.startswith("usage: ./bigred VERB")
    assert machine.notes == []


def test_the_script_is_executable_and_plain_shell(machine: Machine) -> None:
    assert os.access(ROOT / "bigred", os.X_OK)
    shell = shutil.which("dash") or "sh"
    subprocess.run([shell, "-n", str(machine.wrapper)], check=True, timeout=DEADLINE_S)
