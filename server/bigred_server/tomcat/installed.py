"""Finds the Tomcat of this machine, of whatever version the distribution has: 9, 10 or 11."""

import os
import zipfile
from pathlib import Path

from bigred_broker.program import ProgramError

_SHARE = Path("/usr/share")
_NAMES = ("tomcat11", "tomcat10", "tomcat9")
_PACKAGES = "tomcat10-common, or tomcat9-common or tomcat11-common"
_ADMIN_PACKAGES = "tomcat10-admin, or the one of your version"


def tomcat_home(share: Path = _SHARE) -> Path:
    """Return $CATALINA_HOME if a Tomcat is there, else the newest that the distribution installed.

    If there is none, return where the distribution would install one.
    """
    configured = os.environ.get("CATALINA_HOME")
    homes = [Path(configured)] if configured else []
    homes += [share / name for name in _NAMES]
    return next((home for home in homes if is_tomcat(home)), share / "tomcat10")


def service(share: Path = _SHARE) -> str:
    """Return the name of the distribution's service for the newest Tomcat that it installed."""
    return next((name for name in _NAMES if is_tomcat(share / name)), "tomcat10")


def is_tomcat(home: Path) -> bool:
    """Return whether a Tomcat is installed in a folder."""
    return (home / "bin" / "bootstrap.jar").exists()


def check_tomcat(home: Path) -> None:
    """Raise ProgramError, naming the package, if no Tomcat is installed in a folder."""
    if not is_tomcat(home):
        raise ProgramError(
            f"no Tomcat in {home}: bin/bootstrap.jar is missing; install the package {_PACKAGES}"
        )


def find_manager(home: Path) -> Path | None:
    """Return the folder of a Tomcat's Manager, None if it is not installed.

    Debian has it in a package of its own, beside Tomcat; Apache in Tomcat's webapps.
    """
    places = (home.with_name(f"{home.name}-admin") / "manager", home / "webapps" / "manager")
    return next((place for place in places if (place / "WEB-INF" / "web.xml").exists()), None)


def required_manager(home: Path) -> Path:
    """Return the folder of a Tomcat's Manager. Raise ProgramError if it is not installed."""
    if (found := find_manager(home)) is None:
        raise ProgramError(f"no Manager for {home}; install the package {_ADMIN_PACKAGES}")
    return found


def servlet_api(home: Path) -> Path:
    """Return the jar to compile an app with. Raise ProgramError if it is not installed."""
    jar = home / "lib" / "servlet-api.jar"
    if not jar.exists():
        raise ProgramError(f"{jar} is missing; install the package {_PACKAGES}")
    return jar


def is_before_jakarta(jar: Path) -> bool:
    """Return whether a servlet API calls its packages javax.servlet, as up to Tomcat 9."""
    with zipfile.ZipFile(jar) as archive:
        return "javax/servlet/Servlet.class" in archive.namelist()
