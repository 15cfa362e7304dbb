"""Nobody but the server's user can open what is the server's own."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import zips

from bigred_server import private_files
from bigred_server.artifacts.store import Store
from bigred_server.doctor import private
from bigred_server.doctor.finding import Severity
from bigred_server.journal import lock
from bigred_server.journal.database import Database
from bigred_server.protection import protect, too_open
from bigred_server.settings import ServerSettings, Settings


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): mode(path) for path in sorted(folder.rglob("*"))}


@pytest.mark.usefixtures("umask")
async def test_whatever_the_umask_what_the_server_creates_is_its_own(tmp_path: Path) -> None:
    server = ServerSettings(state=tmp_path / "new" / "state")
    database = await Database.open(server.state / "bigred.db")
    async with database.write():
        with lock.held(server.state / "bigred.db"):
            found = modes(server.state)
    await database.close()
    assert set(found) == {"bigred.db", "bigred.db-shm", "bigred.db-wal", "bigred.lock"}
    Store(server.state / "releases").put(zips.write_war(tmp_path / "x.war"))
    assert mode(server.state) == mode(server.state.parent) == 0o700
    found |= modes(server.state)
    assert {name for name, each in found.items() if each & 0o077} == set()
    assert list(too_open(server)) == []


def open_state(folder: Path) -> ServerSettings:
    """Create a state folder as an earlier version did, and what may stand beside."""
    server = ServerSettings(state=folder / "state")
    for name in ("releases", "hooks", "builds/shop/b-1/logs", "builds/shop/b-1/source/bin"):
        (server.state / name).mkdir(parents=True)
    for name in (
        *("bigred.db", "bigred.db-wal", "bigred.lock", "releases/a.war", "hooks/d-1-before.log"),
        *("builds/shop/b-1/logs/build.log", "builds/shop/b-1/source/bin/run.sh", "other.txt"),
    ):
        (server.state / name).touch()
    for path in (server.state, *server.state.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (server.state / "builds/shop/b-1/source/bin/run.sh").chmod(0o755)
    return server


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    server = open_state(tmp_path)
    before = len(list(too_open(server)))
    closed, failures = protect(server)
    assert (len(closed), failures) == (before, [])
    assert closed[0] == server.state
    assert mode(server.state) == 0o700
    left = {name for name, each in modes(server.state).items() if each & 0o077}
    assert left == {
        *("other.txt", "builds/shop/b-1/source/bin", "builds/shop/b-1/source/bin/run.sh"),
        "builds/shop/b-1/source",
    }
    assert protect(server) == ([], [])


def test_the_caches_of_builds_are_not_searched_but_an_app_may_have_any_name(
    tmp_path: Path,
) -> None:
    server = open_state(tmp_path)
    builds = server.state / "builds"
    ours = [builds / "home" / "b-1" / "logs", builds / "tmp" / "b-2" / "artifacts" / "source"]
    theirs = [builds / "shop" / "home" / ".m2", builds / "shop" / "b-1" / "tmp" / "x"]
    for folder in (*ours, *theirs):
        folder.mkdir(parents=True)
        (folder / "file").touch()
        for path in (folder, folder / "file"):
            path.chmod(0o755)
    protect(server)
    for folder in ours:
        assert (mode(folder), mode(folder / "file")) == (0o700, 0o700)
    for folder in theirs:
        assert (mode(folder), mode(folder / "file")) == (0o755, 0o755)


def test_a_folder_that_is_not_bigreds_alone_stays_open(tmp_path: Path) -> None:
    server = open_state(tmp_path)
    server.state.chmod(0o1777)
    _, failures = protect(server)
    assert failures == [
        f"{server.state} is not Bigred's alone: "
        "set `state` or `releases` in [server] to a folder of its own"
    ]
    assert mode(server.state) == 0o1777
    assert mode(server.state / "bigred.db") == 0o600


def test_haproxy_reaches_a_socket_for_its_log_in_the_state_folder(tmp_path: Path) -> None:
    server = open_state(tmp_path)
    with_log = server.model_copy(update={"haproxy_log": str(server.state / "haproxy.sock")})
    protect(with_log)
    assert mode(server.state) == 0o711
    assert mode(server.state / "releases") == 0o700


def test_links_are_neither_followed_nor_changed(tmp_path: Path) -> None:
    server = open_state(tmp_path)
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "file").touch(0o644)
    secret.chmod(0o755)
    (server.state / "hooks" / "link").symlink_to(secret)
    (server.state / "bigred.link").symlink_to(secret / "file")
    protect(server)
    assert (mode(secret), mode(secret / "file")) == (0o755, 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_creates_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 12345, 12345)
    private_files.make_folder(state / "releases")
    private_files.make_file(state / "bigred.db")
    digest = Store(state / "releases").put(zips.write_war(tmp_path / "x.war"))
    for path in state.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345)
    assert mode(state / "releases" / f"{digest}.war") == 0o400
    os.chown(state, 0, 0)
    found = private.state(ServerSettings(state=state))
    assert [one.level for one in found] == [Severity.WARN, Severity.BAD]
    assert "belongs to root, but the server runs as 12345" in found[1].text


# --- the doctor ----------------------------------------------------------------------------------


def test_the_doctor_reports_a_state_folder_that_others_can_open(tmp_path: Path) -> None:
    server = open_state(tmp_path)
    (found,) = private.state(server)
    assert found.level is Severity.WARN
    assert found.text.startswith(f"{server.state} is accessible to other users (mode 755), and ")
    assert found.fix == "restart the server, which closes them, or logs why it can't"
    protect(server)
    assert [one.level for one in private.state(server)] == [Severity.OK]
    assert private.state(ServerSettings(state=tmp_path / "none")) == []


def app(**more: object) -> dict[str, object]:
    node = {"url": "http://127.0.0.1:1", "stop": ["x"], "start": ["x"], "running": ["x"]}
    return {
        "haproxy": {"socket": "/none", "backend": "shop"},
        "marker": {"path": "/"},
        "nodes": {"node1": {**node, "war": "/srv/shop.war"}},
        **more,
    }


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"broker": {"password": "s3cret"}}, "broker.password"),
        ({"server": {"database": "postgresql://a:s3cret@host/x"}}, "server.database"),
        ({"apps": {"shop": app(notify={"team": {"urls": ["mailto://x"]}})}}, "notify.team.urls"),
        (
            {"apps": {"shop": app(series={"o": {"sql": "x", "database": "mysql://a:s3cret@h/x"}})}},
            "apps.shop.series.o.database",
        ),
        ({}, ""),
    ],
)
@pytest.mark.parametrize("file_mode", [0o600, 0o640, 0o644])
def test_the_doctor_reports_a_configuration_with_secrets_that_others_can_read(
    tmp_path: Path, given: dict[str, dict[str, object]], key: str, file_mode: int
) -> None:
    file = tmp_path / "bigred.toml"
    file.touch()
    file.chmod(file_mode)
    server = {"state": str(tmp_path), **given.get("server", {})}
    settings = Settings.model_validate({"apps": {"shop": app()}, **given, "server": server})
    found = private.configuration(file, settings)
    assert [one.level for one in found] == ([Severity.WARN] if key and file_mode & 0o77 else [])
    for one in found:
        assert key in one.text
        assert "s3cret" not in one.text + one.fix


def test_the_doctor_reports_the_key_of_tls_and_files_of_secrets(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("server.key", "urls", "webhook")}
    for path in files.values():
        path.write_text("s3cret")
        path.chmod(0o644)
    build = {"repository": "/x", "command": ["x"], "artifact": "x.war"}
    shop = app(
        build={**build, "webhook_secret_file": str(files["webhook"])},
        notify={"team": {"urls_file": str(files["urls"])}},
    )
    tls = {"ca": "/ca.pem", "key": str(files["server.key"])}
    settings = Settings.model_validate(
        {"server": {"state": str(tmp_path)}, "broker": {"tls": tls}, "apps": {"shop": shop}}
    )
    (tmp_path / "bigred.toml").touch()
    found = private.configuration(tmp_path / "bigred.toml", settings)
    assert {one.fix for one in found} == {f"chmod 600 {path}" for path in files.values()}
