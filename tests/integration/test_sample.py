import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.demo.sample import BuildKind, build
from bigred_server.tomcat import class_data
from bigred_server.tomcat.instance import TomcatInstance


@pytest.fixture(scope="module")
def wars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wars")


@pytest.fixture
def tomcat(tmp_path: Path) -> Iterator[TomcatInstance]:
    instance = TomcatInstance(tmp_path, free_port(), class_data=class_data.option())
    instance.create()
    yield instance
    subprocess.run(instance.stop_command, timeout=20, check=True)


def serve(tomcat: TomcatInstance, war: Path) -> httpx2.Client:
    shutil.copy(war, tomcat.webapps / "shop.war")
    subprocess.run(tomcat.start_command, timeout=10, check=True)
    wait_until(lambda: is_listening(tomcat.port), 20, "Tomcat listens")
    return httpx2.Client(base_url=f"http://127.0.0.1:{tomcat.port}/shop")


def test_the_same_version_has_the_same_bytes(wars: Path, tmp_path: Path) -> None:
    # In another process, because each compiles the source once.
    again = "import pathlib, sys; from bigred_server.demo.sample import build"
    code = f"{again}; build(pathlib.Path(sys.argv[1]), '1.0')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=True)
    assert build(wars, "1.0").read_bytes() == (tmp_path / "shop-1.0.war").read_bytes()


def test_each_version_and_kind_has_its_own_name_and_bytes(wars: Path) -> None:
    built = [build(wars, version, kind) for version in ("1.0", "1.1") for kind in BuildKind]
    assert len({war.name for war in built}) == len(built)
    assert len({war.read_bytes() for war in built}) == len(built)


def test_the_manifest_names_the_version(wars: Path) -> None:
    with zipfile.ZipFile(build(wars, "1.4.2-rc1")) as war:
        lines = war.read("META-INF/MANIFEST.MF").decode().splitlines()
    assert "Implementation-Version: 1.4.2-rc1" in lines


@pytest.mark.parametrize("version", ["", "../1", "1 0", "1\n2", "1" * 41])
def test_a_version_that_cannot_be_a_file_name_is_refused(wars: Path, version: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        build(wars, version)


def test_the_good_build_serves_pages_and_orders(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0")) as shop:
        assert shop.get("/health").text == "open\n"
        assert "Release 1.0 is open." in shop.get("/").text
        assert shop.get("/slow?ms=20").text == "slept 20 ms\n"
        assert shop.get("/slow?ms=soon").text == "slept 0 ms\n"
        assert shop.get("/nothing").status_code == 404
        assert shop.get("/nothing").headers["X-Release"] == "1.0"
        order = shop.post("/order", content=b"x" * 70_000)
        assert (order.status_code, order.text) == (201, "order 1: 70000 bytes\n")
        assert shop.post("/order").text == "order 2: 0 bytes\n"


def test_a_build_that_does_not_start_answers_404(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0", BuildKind.DOES_NOT_START)) as shop:
        assert shop.get("/health").status_code == 404
    assert "broken on purpose" in tomcat.log.read_text()


def test_a_build_that_answers_500_does_so_everywhere(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0", BuildKind.ANSWERS_500)) as shop:
        for answer in (shop.get("/health"), shop.get("/"), shop.post("/order")):
            assert (answer.status_code, answer.headers["X-Release"]) == (500, "1.0")


def test_a_wrong_release_says_so_in_its_answers(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0", BuildKind.WRONG_RELEASE)) as shop:
        assert shop.get("/health").status_code == 200
        assert shop.get("/health").headers["X-Release"] == "1.0-other"


def test_a_slow_start_takes_three_seconds_and_is_good(tomcat: TomcatInstance, wars: Path) -> None:
    begun_s = time.monotonic()
    with serve(tomcat, build(wars, "1.0", BuildKind.SLOW_START)) as shop:
        assert time.monotonic() - begun_s >= 3
        assert shop.get("/health").headers["X-Release"] == "1.0"
    assert not BuildKind.SLOW_START.is_bad


def test_a_session_lasts_from_login_to_logout(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0")) as shop:
        assert shop.get("/me").status_code == 410
        assert "JSESSIONID" not in shop.cookies
        login = shop.post("/login")
        assert (login.status_code, "JSESSIONID" in shop.cookies) == (201, True)
        assert (shop.get("/me").status_code, shop.get("/me").text) == (200, login.text)
        logout = shop.post("/logout")
        assert (logout.status_code, logout.text) == (200, login.text)
        assert shop.get("/me").status_code == 410
        assert shop.post("/logout").status_code == 410
        assert {shop.get("/login").status_code, shop.post("/me").status_code} == {405}


def test_each_login_has_a_token_of_its_own(tomcat: TomcatInstance, wars: Path) -> None:
    with serve(tomcat, build(wars, "1.0")) as shop:
        first = shop.post("/login")
        shop.cookies.clear()
        second = shop.post("/login")
        assert first.text != second.text
        shop.cookies.clear()
        shop.cookies.set("JSESSIONID", first.cookies["JSESSIONID"])
        assert shop.get("/me").text == first.text
