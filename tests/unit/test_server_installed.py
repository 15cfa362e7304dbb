"""The Tomcat of this machine, of whatever version, and its Manager."""

import zipfile
from pathlib import Path

import pytest

from bigred_broker.program import ProgramError
from bigred_server.tomcat import installed


@pytest.fixture(autouse=True)
def no_catalina_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CATALINA_HOME", raising=False)


def install(home: Path) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "bootstrap.jar").touch()
    return home


@pytest.mark.parametrize("name", ["tomcat9", "tomcat10", "tomcat11"])
def test_whatever_tomcat_is_installed_is_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = install(tmp_path / name)
    assert installed.tomcat_home(tmp_path) == home
    monkeypatch.setenv("CATALINA_HOME", str(tmp_path / "none"))
    assert installed.tomcat_home(tmp_path) == home
    own = install(tmp_path / "opt" / "apache-tomcat-11.0.1")
    monkeypatch.setenv("CATALINA_HOME", str(own))
    assert installed.tomcat_home(tmp_path) == own
    assert installed.service(tmp_path) == name


def test_the_newest_of_several_tomcats_is_taken(tmp_path: Path) -> None:
    for name in ("tomcat9", "tomcat11", "tomcat10"):
        install(tmp_path / name)
    assert installed.tomcat_home(tmp_path) == tmp_path / "tomcat11"


def test_a_missing_tomcat_is_reported_with_its_packages(tmp_path: Path) -> None:
    home = installed.tomcat_home(tmp_path)
    with pytest.raises(ProgramError, match="tomcat10-common, or tomcat9-common or tomcat11-co"):
        installed.check_tomcat(home)
    with pytest.raises(ProgramError, match=r"servlet-api\.jar is missing; install the package"):
        installed.servlet_api(home)


@pytest.mark.parametrize("place", ["tomcat11-admin/manager", "tomcat11/webapps/manager"])
def test_a_manager_is_found_where_debian_and_apache_have_it(place: str, tmp_path: Path) -> None:
    home = tmp_path / "tomcat11"
    assert installed.find_manager(home) is None
    with pytest.raises(ProgramError, match="tomcat10-admin, or the one of your version"):
        installed.required_manager(home)
    (tmp_path / place / "WEB-INF").mkdir(parents=True)
    (tmp_path / place / "WEB-INF" / "web.xml").touch()
    assert installed.find_manager(home) == tmp_path / place


@pytest.mark.parametrize(("package", "is_old"), [("javax", True), ("jakarta", False)])
def test_the_name_of_the_servlet_packages_is_known(
    package: str, is_old: bool, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "api.jar", "w") as jar:
        jar.writestr(f"{package}/servlet/Servlet.class", b"")
    assert installed.is_before_jakarta(tmp_path / "api.jar") is is_old
