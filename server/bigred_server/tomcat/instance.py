"""A private Tomcat for the demo and the tests: its folder, and the commands that run it.

The JVM outlives its starter on purpose, as a real node's does; whoever starts one stops it. Real
nodes belong to their machine's own init and are never touched from here.
"""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from bigred_broker.program import ProgramError, find_program

_FILES = Path(__file__).parent / "base"
_MANAGER = Path("/usr/share/tomcat10-admin/manager")
_MANAGER_CONTEXT = "Catalina/localhost/manager.xml"
_MANAGER_USERS = "tomcat-users.xml"


@dataclass(frozen=True)
class ManagerUser:
    """Who may use a Tomcat's Manager, by its text interface alone."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class TomcatInstance:
    """One Tomcat: a folder of its own (CATALINA_BASE) and a port on 127.0.0.1.

    `start_command` returns as soon as the JVM runs, before the app answers. `stop_command` returns
    when the JVM is gone: requests in flight have up to 10 s, the JVM is killed after
    `stop_patience_s`. `running_command` exits with 0 while the JVM of this very folder lives. Each
    may be run at any time, and again. `manager`: with one, Tomcat's Manager is served under
    /manager to this machine.
    """

    base: Path
    port: int
    home: Path = Path("/usr/share/tomcat10")
    stop_patience_s: int = 15
    manager: ManagerUser | None = None

    @property
    def webapps(self) -> Path:
        """The folder that the WARs lie in; `shop.war` is served under /shop after a start."""
        return self.base.resolve() / "webapps"

    @property
    def log(self) -> Path:
        """Tomcat's own warnings and errors, 1 MB at most; not there while all is well.

        What the JVM and the app print is in logs/catalina.out, from the last start on.
        """
        return self.base.resolve() / "logs" / "tomcat.log"

    @property
    def start_command(self) -> tuple[str, ...]:
        """The argument list that starts the JVM, or does nothing while it runs."""
        return self._command("start")

    @property
    def stop_command(self) -> tuple[str, ...]:
        """The argument list that ends the JVM and waits for its end."""
        return self._command("stop")

    @property
    def running_command(self) -> tuple[str, ...]:
        """The argument list whose exit status says whether the JVM lives."""
        return self._command("running")

    def create(self) -> None:
        """Write the folder; what lies in webapps/ stays.

        Raises ProgramError, naming the package, when Tomcat, Java or the Manager is not installed.
        """
        if not (self.home / "bin" / "bootstrap.jar").exists():
            raise ProgramError(
                f"no Tomcat in {self.home}: bin/bootstrap.jar is missing; "
                "install the package tomcat10-common"
            )
        if self.manager and not (_MANAGER / "WEB-INF" / "web.xml").exists():
            raise ProgramError(f"no Manager in {_MANAGER}; install the package tomcat10-admin")
        settings = {
            "java": str(find_java()),
            "home": str(self.home),
            "port": str(self.port),
            "patience_s": str(self.stop_patience_s),
        }
        for name in ("conf", "logs", "temp", "webapps", "work"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name in ("server.xml", "context.xml", "web.xml", "logging.properties"):
            _put(self.base / "conf" / name, (_FILES / name).read_text())
        self._put_manager()
        _put(
            self.base / "settings",
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()),
        )
        _put(self.base / "tomcat", (_FILES / "control.sh").read_text())

    def _put_manager(self) -> None:
        context, users = (self.base / "conf" / name for name in (_MANAGER_CONTEXT, _MANAGER_USERS))
        if self.manager is None:
            context.unlink(missing_ok=True)
            users.unlink(missing_ok=True)
            return
        context.parent.mkdir(parents=True, exist_ok=True)
        _put(context, (_FILES / context.name).read_text())
        user = (
            f"<user username={quoteattr(self.manager.name)} "
            f'password={quoteattr(self.manager.password)} roles="manager-script,manager-jmx"/>'
        )
        content = f'<?xml version="1.0" encoding="UTF-8"?>\n<tomcat-users>{user}</tomcat-users>\n'
        _put(users, content, mode=0o600)

    def _command(self, verb: str) -> tuple[str, ...]:
        # Read by sh, not executed: a process forked by another thread while the script was
        # written may hold it open for a moment ("Text file busy").
        return ("/bin/sh", str(self.base.resolve() / "tomcat"), verb)


def find_java(name: str = "java") -> Path:
    """Find a program of the JDK, in JAVA_HOME or else on the PATH; ProgramError when missing."""
    java_home = os.environ.get("JAVA_HOME")
    if java_home:
        program = Path(java_home) / "bin" / name
        if os.access(program, os.X_OK):
            return program
    return Path(find_program(name, "default-jdk-headless")).resolve()


def _put(file: Path, content: str, mode: int = 0o644) -> None:
    # Replaced, not overwritten: a running shell reads its script while it goes.
    new = file.with_name(f"{file.name}.new")
    new.touch(mode)
    new.write_text(content)
    new.replace(file)
