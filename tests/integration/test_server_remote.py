"""The commands for a remote host, and how its script carries them out: without SSH."""

import subprocess
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from bigred_server.errors import NodeError
from bigred_server.model import disk_space
from bigred_server.settings import NodeSettings, Settings
from bigred_server.tomcat import paths, remote
from bigred_server.tomcat.ssh import SCRIPT


def call_script(*call: str, until_ms: int = 0) -> tuple[int, str, int | None]:
    argv = ["sh", "-c", SCRIPT, "bigred", str(until_ms), *call]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    return done.returncode, *remote.answer(done.stdout)


def test_an_answer_begins_at_its_mark_and_contains_the_time() -> None:
    assert remote.answer("Welcome!\nbigred answers at 1700\n whole \n") == ("whole", 1700)
    assert remote.answer("This account is not available.\n") == (
        "This account is not available.",
        None,
    )


def test_a_look_is_read() -> None:
    digest = "a" * 64
    said = f"running 0\nstamp 12 9 b c\nkept {digest}.war\nkept x.war\nfree 3 4096"
    assert remote.look(said) == remote.RemoteLook("12 9 b c", 12, True, frozenset({digest}), 12288)
    assert remote.look("stamp\nfree ") == remote.RemoteLook(stamp="")
    assert remote.look("trouble stat: x: Permission denied").problem == "stat: x: Permission denied"


@pytest.mark.parametrize(
    ("code", "running"), [(0, True), (1, False), (127, None), (137, None), (124, None)]
)
def test_only_the_command_itself_says_whether_tomcat_runs(code: int, running: bool | None) -> None:
    assert remote.look(f"running {code}").running is running


def test_a_call_in_time_is_done_and_a_late_one_is_not(tmp_path: Path) -> None:
    now_ms = int(time.time() * 1000)
    call = ("command_of", "5", "800", "touch", str(tmp_path / "done"))
    late = call_script(*call, until_ms=now_ms - 1000)
    assert late[:2] == (1, "this call came too late and was not run")
    assert not (tmp_path / "done").exists()
    code, text, there_ms = call_script(*call, until_ms=now_ms + 60_000)
    assert (code, text) == (0, "")
    assert there_ms == pytest.approx(now_ms, abs=20_000)
    assert (tmp_path / "done").exists()


def test_the_script_needs_no_backslash_and_no_bash() -> None:
    assert "\\" not in SCRIPT
    subprocess.run(["dash", "-n", "-c", SCRIPT], check=True, timeout=20)


def test_disk_space_is_needed_twice_and_to_spare() -> None:
    paths.check_disk_space("/kept", 2 * 100 + disk_space.SPARE_BYTES, 100)
    with pytest.raises(NodeError, match=r"/kept has 64\.0 MiB free"):
        paths.check_disk_space("/kept", 2 * 100 + disk_space.SPARE_BYTES - 1, 100)


def test_kept_releases_are_removed_only_when_not_needed() -> None:
    kept = frozenset({"a", "b", "c"})
    assert paths.surplus(kept, "a", frozenset({"b", "x"})) == ["c"]
    names = ["0" * 64 + ".war", "0" * 64 + ".war.part", "shop.war", "A" * 64 + ".war"]
    assert paths.kept_digests(names) == {"0" * 64}


def app(war: str, **node: object) -> dict[str, object]:
    fields = {"url": "http://127.0.0.1:1", "war": war, "stop": ["a"], "start": ["a"], **node}
    return {
        "haproxy": {"socket": "/s", "backend": "b"},
        "marker": {"path": "/"},
        "nodes": {"n1": {**fields, "running": ["a"]}},
    }


def test_apps_of_one_tomcat_keep_their_releases_apart() -> None:
    two = {"shop": app("/t/webapps/shop.war"), "blog": app("/t/webapps/blog.war")}
    read = Settings.model_validate({"server": {"state": "/s"}, "broker": {}, "apps": two})
    folders = [one.nodes["n1"].kept_folder for one in read.fleets.values()]
    assert folders == [Path("/t/bigred-releases/shop"), Path("/t/bigred-releases/blog")]
    shared = {name: app(f"/t/webapps/{name}.war", kept="/kept") for name in ("shop", "blog")}
    with pytest.raises(ValidationError, match="where each would remove the other's"):
        Settings.model_validate({"server": {"state": "/s"}, "broker": {}, "apps": shared})


@pytest.mark.parametrize("kept", ["/t/webapps", "/t/webapps/kept/shop"])
def test_releases_are_never_kept_where_tomcat_would_serve_them(kept: str) -> None:
    with pytest.raises(ValidationError, match="Tomcat serves what is in it"):
        NodeSettings.model_validate(
            {"url": "http://127.0.0.1:1", "war": "/t/webapps/shop.war", "kept": kept}
        )
