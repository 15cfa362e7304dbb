"""The script `./bigred` on a machine that has only a handful of tools.

Nothing is installed and no network is used: python3, pip, sudo and apt-get are stand-ins that
record their arguments. Only what the script finds by a fixed path is the real machine's.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from bigred_server.cli import bigred

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20
TOOLS = (
    *("basename", "cat", "chmod", "cksum", "cp", "cut", "dirname", "find", "flock", "grep"),
    *("head", "mkdir", "paste", "readlink", "rm", "sh", "sleep", "sort", "stty"),
)
TABLE = Path("server/bigred_server/cli/__init__.py")

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
  "-m pip")
    echo pip >>"$NOTES"; cat "$NOTES.pip" 2>/dev/null
    sleep "${PIP_TAKES_S:-0}"; [ ! -e "$BROKEN.pip" ] ;;
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

    def pip_prints(self, *lines: str) -> None:
        (self.home / "notes.pip").write_text("".join(f"{line}\n" for line in lines))

    def call(
        self, *words: str, wrapper: Path | None = None, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(wrapper or self.wrapper), *words],
            cwd=cwd or self.home,
            env=self.env | env,
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
    (machine.wrapper.parent / "requirements-dev.txt").write_text("pytest==9\n")
    (machine.wrapper.parent / "pyproject.toml").write_text("[project]\n")
    (machine.wrapper.parent / TABLE).parent.mkdir(parents=True)
    shutil.copy(ROOT / TABLE, machine.wrapper.parent / TABLE)
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
        "tomcat10-common": somewhere("usr/share/tomcat*/lib/servlet-api.jar"),
        "default-jdk-headless": False,
        "espeak-ng": False,
        "alsa-utils": False,
    }
    if verb != "demo":
        found |= {
            "postgresql": somewhere("usr/lib/postgresql/*/bin/initdb"),
            "tomcat10-admin": somewhere("usr/share/tomcat*-admin/manager/WEB-INF/web.xml"),
            "libusb-1.0-0": somewhere("usr/lib*/libusb-1.0.so.0", "usr/lib/*/libusb-1.0.so.0"),
            "openssh-server": somewhere("usr/sbin/sshd"),
            "bubblewrap": False,
            "strace": False,
            "git": False,
            "mercurial": False,
        }
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


def test_the_demo_brings_neither_what_belongs_to_the_tests_nor_their_libraries(
    machine: Machine,
) -> None:
    # Everything looks missing while an installation was cut off, whatever this machine has.
    (machine.home / "guard").write_text("# by bigred\n")
    use_guard(machine)
    machine.has("apt-get", "exit 1")
    machine.has("sudo", f'rm "{machine.home}/guard"; shift 5; echo "sudo $*" >>"$NOTES"')

    answer = machine.call("demo")

    assert answer.returncode == 0, answer.stderr
    assert machine.notes[0].split()[1:] == [
        *("python3", "python3-venv", "mosquitto", "haproxy", "tomcat10-common"),
        *("default-jdk-headless", "espeak-ng", "alsa-utils"),
    ]
    assert machine.notes[1:] == ["venv --clear", "pip", "pip"]
    machine.call("check")
    assert machine.notes[-1:] == ["pip"], "the libraries of the tests come with the first check"
    assert len(machine.notes) == 5
    machine.call("check")
    assert len(machine.notes) == 5


def use_guard(machine: Machine) -> None:
    """Point the wrapper to a guard in the machine's home instead of the real one."""
    text = machine.wrapper.read_text()
    assert "guard=/usr/sbin/policy-rc.d\n" in text
    guard = f"guard={machine.home / 'guard'}\n"
    machine.wrapper.write_text(text.replace("guard=/usr/sbin/policy-rc.d\n", guard))


def installs_by(machine: Machine, apt_get: str) -> None:
    """Let the root's part really run, with a stand-in for apt-get; 3 is its status."""
    use_guard(machine)
    machine.has("dpkg", "exit 0")
    machine.has("sudo", '"$@"')
    machine.has("apt-get", f'[ "$1" = install ] || exit 0\n{apt_get}')


def test_while_packages_are_fetched_it_says_what_how_many_and_how_far(machine: Machine) -> None:
    installs_by(
        machine,
        'printf "Building dependency tree..."; sleep 4\n'
        'echo "dlstatus:1:41.5:Retrieving file 3 of 9 (7s remaining)" >&3; sleep 3\n'
        'echo "pmstatus:python3.11:66:Unpacking python3.11 (amd64)" >&3; sleep 4',
    )

    answer = machine.call("demo")

    assert answer.returncode == 0, answer.stderr
    assert "  starting (3 s)\n" in answer.stderr
    assert "  Retrieving file 3 of 9 (7s remaining), 41 % done (6 s)\n" in answer.stderr
    assert "  Unpacking python3.11 (amd64), 66 % done (9 s)\n" in answer.stderr
    assert not (machine.home / "guard").exists()


def test_while_libraries_are_fetched_it_says_what_how_many_and_how_far(machine: Machine) -> None:
    lines = [f"{name}==1 ; sys_platform == 'linux' \\\n    --hash=x" for name in ("a", "b", "c")]
    (machine.wrapper.parent / "requirements.txt").write_text("\n".join(lines))
    machine.pip_prints(
        "Ignoring c: markers 'python_full_version < 3' don't match your environment",
        "Collecting a==1",
        "  Downloading a-1-py3-none-any.whl (12 kB)",
        "Collecting b==1",
        "  Downloading b-1-py3-none-any.whl.metadata (2 kB)",
        "  Downloading b-1-py3-none-any.whl (18.3 MB)",
    )

    answer = machine.call("status", PIP_TAKES_S="4")

    assert answer.returncode == 0, answer.stderr
    fetching = "  fetching library 2 of 2: b-1-py3-none-any.whl (18.3 MB) (3 s)\n"
    assert fetching in answer.stderr


UNRESOLVED = "Temporary failure resolving 'mirror.example'"


@pytest.mark.parametrize(
    "apt_get",
    [
        f'echo "Err:1 http://mirror.example stable InRelease"; echo "  {UNRESOLVED}"\n'
        'echo "E: Unable to locate package mosquitto"; exit 100',
        'echo "dlstatus:1:0:Retrieving file 1 of 9" >&3\n'
        f'echo "E: Failed to fetch http://mirror.example/x.deb  {UNRESOLVED}"; exit 100',
        'echo "  Cannot initiate the connection (101: Network is unreachable)"; exit 100',
        'echo "  Could not connect to mirror.example:80, connection timed out"; exit 100',
        'echo "  Unable to connect to proxy.example:3128:"; exit 100',
        "echo \"  Something wicked happened resolving 'mirror.example:http' (-5)\"; exit 100",
        'echo "  407  Proxy Authentication Required [IP: 192.0.2.1 3128]"; exit 100',
        "echo \"  got 'NODATA' (does the network require authentication?)\"; exit 100",
    ],
)
def test_packages_without_a_network_are_reported_as_such_and_what_to_do(
    machine: Machine, apt_get: str
) -> None:
    installs_by(machine, apt_get)

    answer = machine.call("demo")

    assert answer.returncode == 1
    assert "bigred: no network: the packages above could not be fetched." in answer.stderr
    assert "Connect this machine to the Internet and try again" in answer.stderr
    assert not (machine.home / "guard").exists()


@pytest.mark.parametrize(
    "apt_get",
    [
        f'echo "  {UNRESOLVED}"; echo "Get:1 http://mirror.example InRelease"; exit 100',
        f'echo "  {UNRESOLVED}"; echo "pmerror:haproxy:50:disk full" >&3; exit 100',
        'echo "E: You don\'t have enough free space in /var/cache/apt"; exit 100',
    ],
)
def test_another_failure_is_not_blamed_on_the_network(machine: Machine, apt_get: str) -> None:
    installs_by(machine, apt_get)

    answer = machine.call("demo")

    assert answer.returncode == 1
    assert "no network" not in answer.stderr
    assert "bigred: could not install: " in answer.stderr


@pytest.mark.parametrize(
    "seen",
    [
        "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution",
        "ConnectTimeoutError(None, 'Connection to index.example timed out.')",
        "[Errno 101] Network is unreachable",
        "ProxyError('Cannot connect to proxy.', OSError())",
        "Read timed out. (read timeout=15)",
        "[Errno -5] No address associated with hostname",
    ],
)
def test_libraries_without_a_network_are_reported_as_such_and_what_to_do(
    machine: Machine, seen: str
) -> None:
    machine.pip_prints(
        "Collecting click==8",
        f"WARNING: Retrying (Retry(total=0)) after connection broken by '{seen}': /simple/click/",
        "ERROR: No matching distribution found for click==8",
    )
    machine.breaks("pip")

    answer = machine.call("status")

    assert answer.returncode == 1
    assert seen in answer.stderr
    assert "bigred: no network: the Python libraries could not be fetched" in answer.stderr
    assert "Connect this machine to the Internet and try again" in answer.stderr


def test_libraries_that_fail_for_another_reason_show_the_reason(machine: Machine) -> None:
    machine.pip_prints("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES")
    machine.breaks("pip")

    answer = machine.call("status")

    assert answer.returncode == 1
    assert "DO NOT MATCH THE HASHES" in answer.stderr
    assert "no network" not in answer.stderr


def test_at_a_terminal_the_progress_is_one_line_that_fits(machine: Machine) -> None:
    machine.pip_prints(
        "  Downloading a_library_with_a_rather_long_name-1.0-py3-none-any.whl (1 MB)"
    )
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    try:
        done = subprocess.run(
            [str(machine.wrapper), "status"],
            env=machine.env | {"PIP_TAKES_S": "2"},
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=DEADLINE_S,
            check=False,
        )
        written = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0, written
    shown = re.findall(r"\rbigred: ( .*?)\x1b\[K", written)
    assert shown
    assert all(len(f"bigred: {line}") < 40 for line in shown), shown
    assert any(line.endswith("… (1 s)") for line in shown), shown


def test_whoever_waits_for_another_call_is_told_so_every_few_seconds(machine: Machine) -> None:
    with machine.wrapper.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [str(machine.wrapper), "status"], env=machine.env, stderr=subprocess.PIPE, text=True
        )
        assert waiting.stderr
        assert "waiting for it" in waiting.stderr.readline()
        assert "still waiting (3 s)" in waiting.stderr.readline()
    _, rest = waiting.communicate(timeout=DEADLINE_S)
    assert waiting.returncode == 0, rest


def test_help_lists_every_verb_before_anything_is_installed(machine: Machine) -> None:
    for words in ([], ["help"], ["--help"]):
        answer = machine.call(*words)
        assert answer.returncode == 0
        assert answer.stdout.startswith("usage: ./bigred VERB")
        context = click.Context(bigred)
        for verb in set(bigred.list_commands(context)) - {"demo"}:
            text = re.search(rf"^  {verb} +(.+)$", answer.stdout, re.MULTILINE)
            assert text, verb
            assert text[1] in " ".join(bigred.get_help(context).split())
        assert len(re.findall(r"^  demo ", answer.stdout, re.MULTILINE)) == 1
        assert max(map(len, answer.stdout.splitlines())) <= 80
    assert machine.notes == []


def test_a_mistyped_verb_installs_nothing(machine: Machine) -> None:
    answer = machine.call("statsu")
    assert answer.returncode == 2
    assert answer.stderr == "bigred: there is no verb 'statsu'; all verbs: ./bigred help\n"
    assert machine.notes == []


def test_the_help_of_a_verb_needs_no_package(machine: Machine) -> None:
    answer = machine.call("demo", "--help")
    assert answer.returncode == 0, answer.stderr
    assert "installing from the distribution" not in answer.stderr


def test_the_script_is_executable_and_plain_shell(machine: Machine) -> None:
    assert os.access(ROOT / "bigred", os.X_OK)
    shell = shutil.which("dash") or "sh"
    subprocess.run([shell, "-n", str(machine.wrapper)], check=True, timeout=DEADLINE_S)


@pytest.mark.parametrize(
    ("installed", "available", "found"),
    [
        (["tomcat10"], ["tomcat11"], "tomcat10"),
        (["tomcat9"], ["tomcat10"], "tomcat9"),
        (["tomcat9", "tomcat11", "tomcat10"], [], "tomcat11"),
        ([], ["tomcat11", "tomcat10"], "tomcat10"),
        ([], ["tomcat11"], "tomcat11"),
        ([], ["tomcat9"], "tomcat9"),
        ([], [], "tomcat10"),
    ],
)
def test_the_tomcat_is_the_one_installed_or_one_that_the_distribution_has(
    tmp_path: Path, installed: list[str], available: list[str], found: str
) -> None:
    for name in installed:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "bootstrap.jar").touch()
    script = (ROOT / "bigred").read_text(encoding="utf-8")
    function = script[script.index("find_tomcat() {") :].partition("\n}\n")[0] + "\n}\n"
    known = " ".join(f"{name}-common" for name in available)
    apt_cache = tmp_path / "apt-cache"
    apt_cache.write_text(f'#!/bin/sh\ncase " {known} " in *" $2 "*) ;; *) exit 100 ;; esac\n')
    apt_cache.chmod(0o755)
    text = function.replace("/usr/share", str(tmp_path)) + 'find_tomcat; echo "$tomcat"'
    run = subprocess.run(
        ["/bin/sh", "-euc", text],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": str(tmp_path)},
    )
    assert run.stdout.strip() == found
