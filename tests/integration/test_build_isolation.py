"""What hostile builds try: secrets, the server, its files, the network. None of it succeeds.

Each way to confine builds is tried by itself and together: another user, which needs root, and
bubblewrap's sandbox, which needs the package and a machine that allows it.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.build_site import automation, build_of
from tests.support.processes import living
from tests.support.repositories import Repository

from bigred_broker.config import parse
from bigred_server.daemon import log_isolation
from bigred_server.doctor import builds
from bigred_server.doctor.finding import Severity
from bigred_server.errors import BuildError
from bigred_server.model.release import Stage
from bigred_server.pipeline.build_user import build_user
from bigred_server.pipeline.hiding import workspaces
from bigred_server.pipeline.isolation import Isolation, isolation_of
from bigred_server.pipeline.sandbox import BuildFolders
from bigred_server.protection import too_open
from bigred_server.settings import Settings, example

NOBODY = "nobody"
BUILD = '[apps.shop.build]\nrepository = "/nowhere"\ncommand = ["true"]\nartifact = "a.war"\n'

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run builds as nobody")


def sandbox_works(*prefix: str) -> bool:
    """Return whether bubblewrap is installed and this machine lets it do all that is needed."""
    apart = ("--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc")
    argv = (*prefix, "bwrap", *apart, "--dev", "/dev", "--tmpfs", "/run", "true")
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


needs_sandbox = pytest.mark.skipif(
    not sandbox_works(), reason="bubblewrap is missing, or this machine forbids its mounts"
)
WAYS = [
    pytest.param("user", marks=needs_root),
    pytest.param("sandbox", marks=needs_sandbox),
    pytest.param("both", marks=[needs_root, needs_sandbox]),
]


@dataclass(frozen=True)
class HostileSite:
    """A server's folder, which another user can reach, and how its builds are confined."""

    folder: Path
    settings: Settings
    isolation: Isolation
    repository: Repository

    @property
    def state(self) -> Path:
        return self.settings.server.state

    @property
    def config(self) -> Path:
        return self.folder / "bigred.toml"

    @property
    def work(self) -> Path:
        return workspaces(self.settings.server) / "shop"

    @property
    def is_sandboxed(self) -> bool:
        return bool(self.isolation.sandbox)

    async def run(
        self, script: str, tests: dict[str, object] | None = None, **more: object
    ) -> tuple[str, str]:
        """Build a commit with this build.sh; return the reason if it failed, and its log."""
        self.repository.write({"build.sh": f"#!/bin/sh\n{script}\n"})
        commit = self.repository.push("hostile").commit
        central = self.repository.central
        async with automation(
            self.state,
            central,
            isolation=self.isolation,
            work=self.work,
            build=build_of(central, "git", **more),
            tests=tests or {},
        ) as site:
            done = await site.ended(await site.submit(commit))
            assert not [*self.work.glob("b-*")], "a workspace is left"
            first, _, rest = site.log(done).partition("\n")
            assert first == f"[bigred: runs {self.isolation.text(network=False)}]"
            return "" if done.stage is Stage.READY else done.reason, rest


@pytest.fixture
def folder() -> Iterator[Path]:
    # Another user can't enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="bigred-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    subprocess.run(["rm", "-rf", folder], check=True, timeout=60)


def site_of(folder: Path, way: str) -> HostileSite:
    # Nothing has been released yet.
    server = f'state = "{folder}/state"\nreleases = "{folder}/none-yet"\n'
    if way in ("user", "both"):
        server += f'build_user = "{NOBODY}"\n'
    server += f'sandbox = "{"off" if way == "user" else "required"}"\n'
    secret = f'webhook_secret_file = "{folder}/webhook.secret"\n'
    text = example().replace('state = "/var/lib/bigred"\n', server) + BUILD + secret
    config = folder / "bigred.toml"
    for path in (config, folder / "webhook.secret"):
        path.write_text(text)
        path.chmod(0o600)
    (folder / "state").mkdir(0o700)
    settings = parse(text, Settings, "test")
    return HostileSite(
        folder, settings, isolation_of(settings, config), Repository.made("git", folder)
    )


@pytest.fixture(params=WAYS)
def site(folder: Path, request: pytest.FixtureRequest) -> HostileSite:
    return site_of(folder, request.param)


PACK = "mkdir -p WEB-INF; python3 -m zipfile -c app.war build.sh WEB-INF"


async def test_a_build_reads_no_secret_and_changes_nothing_outside(
    site: HostileSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "the-token")
    own = site.work / "home"
    tries = {
        "journal": f"cat {site.state}/bigred.db",
        "state": f"ls {site.state}/releases",
        "config": f"cat {site.config}",
        "secret": f"cat {site.folder}/webhook.secret",
        "system": "touch /etc/bigred-was-here",
        "clone": f"touch {site.work}/clone/refs/heads/evil",
        "workspace": 'touch "$BIGRED_WAR"',
        "environ": f"grep -q SECRET /proc/{os.getpid()}/environ",
        "parents": "for p in /proc/[0-9]*; do grep -q the-token $p/environ && exit; done; false",
        "env": "env | grep -q the-token",
        "server": f"kill -0 {os.getpid()}",
        "su": "su -c true root",
    }
    if not site.is_sandboxed:
        # In a sandbox the process above it is a part of the sandbox.
        tries["supervisor"] = "kill -0 $(awk '/^PPid/ {print $2}' /proc/$PPID/status)"
    script = [f"({line}) >/dev/null 2>&1 && echo succeeded: {name}" for name, line in tries.items()]
    reason, log = await site.run(
        "\n".join(
            [
                *script,
                f"touch {site.folder}/outside 2>/dev/null",
                'echo "$HOME $TMPDIR"',
                "touch ~/cache /tmp/own $TMPDIR/own",
                PACK,
            ]
        )
    )
    first, *rest = log.splitlines()
    assert first.startswith(f"{own} {site.work}/b-"), log
    assert (reason, rest) == ("", [])
    # The caches are kept, and nobody else has them.
    assert (own / "cache").exists()
    assert own.stat().st_mode & 0o777 == 0o700
    assert not (site.folder / "outside").exists()


async def test_what_a_build_leaves_is_the_servers_own(site: HostileSite) -> None:
    stage = {"command": ["sh", "-c", "echo passed >report.txt"], "artifacts": ["report.txt"]}
    before = os.umask(0o022)
    try:
        reason, _ = await site.run(f"mkdir -p ~/.m2; touch ~/.m2/jar; {PACK}", {"unit": stage})
    finally:
        os.umask(before)
    assert reason == ""
    assert (site.work / "home" / ".m2" / "jar").exists()
    assert [*site.state.glob("builds/b-*/artifacts/unit/report.txt")]
    assert [path for path, _ in too_open(site.settings.server)] == []


async def test_a_build_gets_the_variables_that_are_named_and_no_others(
    site: HostileSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "the-token")
    monkeypatch.setenv("MAVEN_OPTS", "-Xmx99m")
    reason, log = await site.run(
        f"env; {PACK}", inherit=["MAVEN_OPTS", "MISSING"], environment={"LEVEL": "full"}
    )
    assert reason == ""
    names = {line.partition("=")[0] for line in log.splitlines()}
    expected = {"PATH", "LANG", "LANGUAGE", "TZ", "HOME", "TMPDIR", "MAVEN_OPTS", "LEVEL", "PWD"}
    # What the shell sets by itself.
    expected |= {"_", "SHLVL", "OLDPWD"}
    assert {one for one in names - expected if not one.startswith(("LC_", "BIGRED_"))} == set()
    assert {"MAVEN_OPTS", "LEVEL", "HOME", "TMPDIR", "BIGRED_WAR"} <= names


async def test_a_build_leaves_no_process_whatever_it_does(site: HostileSite) -> None:
    mark = f"mark-{site.folder.name}"
    sleeps = f"python3 -c 'import time; time.sleep(600)' {mark}"
    reason, _ = await site.run(f"setsid -f {sleeps}; (setsid setsid {sleeps} &) & {PACK}")
    assert (reason, living(mark)) == ("", [])
    # What can be killed is its own: the build fails, and nothing is left all the same.
    reason, _ = await site.run(f"setsid -f {sleeps}; kill -9 $PPID; {sleeps}")
    assert "it was ended from outside, or could not begin" in reason
    assert living(mark) == []


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        ("ln -s {state}/bigred.db app.war", "links are not followed"),
        ("ln -s {state} target", "found: none"),
        ("mkfifo app.war", "app.war is not a regular file"),
        ("truncate -s 5T app.war", "app.war needs 5242880 MiB"),
    ],
)
async def test_a_planted_result_is_refused(site: HostileSite, plant: str, reason: str) -> None:
    artifact = "target/*" if "target" in plant else "*.war"
    failed, _ = await site.run(plant.format(state=site.state), artifact=artifact)
    assert reason in failed


async def test_folders_without_end_are_searched_and_removed(site: HostileSite) -> None:
    deep = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    reason, log = await site.run(f'python3 -c "{deep}"; chmod 0 d; {PACK}')
    assert (reason, log) == ("", "")


async def test_a_test_stage_can_not_change_the_war(site: HostileSite) -> None:
    tests: dict[str, object] = {
        "evil": {"command": ["sh", "-c", 'echo evil >"$BIGRED_WAR" || rm "$BIGRED_WAR"; exit 0']},
        "last": {"command": ["python3", "-m", "zipfile", "-t", "app.war"]},
    }
    reason, _ = await site.run(PACK, tests=tests)
    assert reason == ""


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@needs_sandbox
@pytest.mark.parametrize("network", [False, True])
async def test_a_sandbox_has_network_only_if_the_app_asks(
    folder: Path, listening: int, network: bool
) -> None:
    site = site_of(folder, "both" if os.geteuid() == 0 else "sandbox")
    connects = f"import socket; socket.create_connection(('127.0.0.1', {listening}), 5)"
    tests = {"net": {"command": ["python3", "-c", connects]}}
    packs = ["sh", "-c", "mkdir WEB-INF; python3 -m zipfile -c app.war notes WEB-INF"]
    commit = site.repository.push("net").commit
    async with automation(
        site.state,
        site.repository.central,
        isolation=site.isolation,
        work=site.work,
        build=build_of(site.repository.central, command=packs, network=network),
        tests=tests,
    ) as built:
        done = await built.ended(await built.submit(commit))
        assert (done.stage is Stage.READY) is network
        assert ("Connection refused" in built.log(done, "net")) is not network
        assert ("without network" in built.log(done)) is not network


@needs_root
@needs_sandbox
async def test_a_test_stage_in_the_sandbox_has_its_tomcat(folder: Path) -> None:
    site = site_of(folder, "both")
    smoke = "import os, urllib.request as r; print(r.urlopen(os.environ['BIGRED_URL'] + '/notes'))"
    tests: dict[str, object] = {
        "smoke": {"command": ["python3", "-c", smoke], "tomcat": True, "tomcat_s": 60.0}
    }
    mark = f"-Dcatalina.base={site.work}"
    script = "mkdir WEB-INF; cp notes WEB-INF/n; python3 -m zipfile -c app.war notes WEB-INF"
    reason, _ = await site.run(script, tests=tests)
    assert (reason, living(mark)) == ("", [])


@needs_sandbox
@needs_root
def test_a_server_that_is_not_root_has_a_sandbox_as_well(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(folder, "sandbox")
    user = build_user(NOBODY)
    if not sandbox_works(*user.prefix):
        pytest.skip("this machine gives user namespaces to root alone")
    home = folder / "home"
    home.mkdir()
    os.chown(home, user.uid, user.gid)
    monkeypatch.setattr(os, "geteuid", lambda: user.uid)
    seen = BuildFolders((), (), home, home)
    argv = [*user.prefix, *site.isolation.prefix(seen, network=False)]
    script = f"ls {site.state}/releases; touch {home}/x; touch {folder}/y; kill -0 {os.getpid()}"
    done = subprocess.run([*argv, "sh", "-c", script], capture_output=True, timeout=20, check=False)
    assert done.stdout == b""
    assert (home / "x").exists()
    assert not (folder / "y").exists()
    assert b"No such process" in done.stderr


# --- what can't be had ---------------------------------------------------------------------------


def settings_with(folder: Path, server: str) -> Settings:
    text = example().replace('state = "/var/lib/bigred"\n', f'state = "{folder}"\n{server}\n')
    return parse(text + BUILD, Settings, "test")


def without_bwrap(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "bwrap" else which(name))


def test_without_bubblewrap_a_server_that_requires_it_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_bwrap(monkeypatch)
    with pytest.raises(BuildError, match=r"sandbox = 'required' .* bubblewrap is not installed; "):
        isolation_of(settings_with(tmp_path, 'sandbox = "required"'))
    found = isolation_of(settings_with(tmp_path, ""))
    assert found.text(network=False) == (
        "as the server's own user, not in a sandbox (bubblewrap is not installed)"
    )


def test_where_bubblewrap_does_not_work_the_reason_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    found = isolation_of(settings_with(tmp_path, ""))
    assert found.sandbox == ""
    assert found.why_not == "bwrap: No permissions to create new namespace"


@pytest.mark.parametrize(
    ("name", "uid", "reason"),
    [
        ("no-such-user", 0, "this machine has no such user; create one with: useradd "),
        ("root", 0, "builds must not run as root; name a user of their own"),
        (NOBODY, 65534, "only root can run builds as another user, and the server runs as "),
    ],
)
def test_a_build_user_that_can_not_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, uid: int, reason: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(BuildError, match=f"build_user = '{name}' in .server.: {reason}"):
        isolation_of(settings_with(tmp_path, f'build_user = "{name}"'))


@needs_root
def test_a_build_user_that_can_not_reach_the_workspaces_is_refused(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(0o700)
    more = f'build_user = "{NOBODY}"\nsandbox = "off"\nworkspaces = "{closed}/work"'
    with pytest.raises(
        BuildError, match=r"builds can't run as build_user = 'nobody': .*Permission"
    ):
        isolation_of(settings_with(folder / "state", more))


# --- what the server logs ------------------------------------------------------------------------


@pytest.mark.parametrize("sandbox", ["/usr/bin/bwrap", ""])
def test_the_server_logs_which_builds_have_no_network(tmp_path: Path, sandbox: str) -> None:
    settings = settings_with(tmp_path, "")
    shop = settings.fleets["shop"]
    assert shop.build is not None
    online = shop.build.model_copy(update={"network": True})
    apps = {"shop": shop, "web": shop.model_copy(update={"build": online})}
    isolation = Isolation(sandbox=sandbox, why_not="" if sandbox else "why", is_told=True)
    with capture_logs() as logs:
        log_isolation(isolation, settings.model_copy(update={"apps": apps}))
    how = {tuple(one["apps"]): one["how"] for one in logs if "how" in one}
    offline = [one["apps"] for one in logs if "download libraries" in one["event"]]
    if sandbox:
        assert "without network" in how["shop",]
        assert "with network" in how["web",]
        assert offline == [["shop"]]
    else:
        assert (list(how), offline) == ([("shop", "web")], [])


# --- what doctor says ----------------------------------------------------------------------------


def doctor(settings: Settings) -> tuple[Severity, str, str]:
    [found] = builds.check(settings)
    return found.level, found.text, found.fix


def test_doctor_warns_where_builds_have_no_sandbox(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_bwrap(monkeypatch)
    settings = settings_with(folder / "state", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    level, text, fix = doctor(settings)
    assert (level, fix) == (
        Severity.WARN,
        "install the package bubblewrap and allow user namespaces",
    )
    assert text.endswith(
        "not in a sandbox (bubblewrap is not installed): "
        "whoever can push can reach all that the server can reach"
    )
    level, _, fix = doctor(settings_with(folder / "state", 'sandbox = "off"'))
    assert (level, fix) == (
        Severity.WARN,
        "set `build_user` in [server], or allow the sandbox",
    )
    level, text, _ = doctor(settings_with(folder / "state", 'sandbox = "required"'))
    assert (level, "sandbox = 'required'" in text) == (Severity.BAD, True)
    level, _, fix = doctor(settings_with(folder / "state", f'build_user = "{NOBODY}"'))
    assert (level, fix) == (Severity.UNKNOWN, "run doctor as root")


@pytest.mark.parametrize("journal", ["journal on SQLite", "journal on PostgreSQL"])
def test_doctor_does_not_take_another_user_for_the_servers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    state = folder / "state"
    state.mkdir()
    if "SQLite" in journal:
        (state / "bigred.db").touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    level, text, fix = doctor(settings_with(state, ""))
    server = pwd.getpwuid(os.getuid()).pw_name
    assert (level, fix) == (Severity.UNKNOWN, f"run doctor as {server}")
    assert text.startswith(f"the server runs as {server}, ")


@needs_root
def test_doctor_warns_where_builds_run_as_root(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level, text, fix = doctor(settings_with(folder / "state", ""))
    assert (level, fix) == (Severity.WARN, "set `build_user` in [server]")
    assert text.endswith("which is root: whoever can push has its rights")
    level, text, _ = doctor(settings_with(folder / "state", 'build_user = "root"'))
    assert (level, "must not run as root" in text) == (Severity.BAD, True)
    without_bwrap(monkeypatch)
    level, text, _ = doctor(settings_with(folder / "state", f'build_user = "{NOBODY}"'))
    assert level is Severity.WARN
    assert text.endswith("whoever can push can reach the network")


@needs_root
@needs_sandbox
def test_doctor_is_content_with_a_user_and_a_sandbox(folder: Path) -> None:
    settings = settings_with(folder / "state", f'build_user = "{NOBODY}"')
    level, text, _ = doctor(settings)
    assert list(folder.iterdir()) == [], "a check changes nothing"
    assert (level, text) == (
        Severity.OK,
        "they run as nobody, in a sandbox without network (`network` in the app's build)",
    )


def test_doctor_says_nothing_where_nothing_is_built(tmp_path: Path) -> None:
    assert builds.check(parse(example(), Settings, "test")) == []


def test_nobody_is_a_user_of_this_machine() -> None:
    assert pwd.getpwnam(NOBODY).pw_uid != 0
