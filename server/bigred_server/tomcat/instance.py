"""A private Tomcat for the demo and the tests: its folder, and the commands that run it.

The JVM outlives its starter on purpose, as on a real node; the caller must stop what it starts.
Real nodes belong to their machine's init system and are never touched from here.
"""

import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from bigred_broker.program import find_program
from bigred_server.tomcat import installed

_FILES = Path(__file__).parent / "base"
_MANAGER_CONTEXT = "Catalina/localhost/manager.xml"
_MANAGER_USERS = "tomcat-users.xml"


@dataclass(frozen=True)
class ManagerUser:
    """A user of Tomcat's Manager: of its text interface and JMX proxy, not of its web pages."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class TomcatInstance:
    """One Tomcat: its own folder (CATALINA_BASE) and a port on 127.0.0.1.

    `start_command` returns as soon as the JVM runs, before the app answers. `stop_command` returns
    when the JVM is gone: requests in flight get up to 10 s, and the JVM is killed after
    `stop_patience_s`. `running_command` exits with 0 while the JVM of this folder is alive. Each
    can be run at any time and repeated. With a `manager`, this machine can reach Tomcat's Manager
    under /manager. `class_data`: the JVM option that names a class-data archive (see
    class_data.py). With it, Tomcat's own classes are on the JVM's class path, because a JVM reads
    from the archive only the classes that it loads itself.
    """

    base: Path
    port: int
    home: Path = field(default_factory=installed.tomcat_home)
    stop_patience_s: int = 15
    manager: ManagerUser | None = None
    class_data: str = ""

    @property
    def webapps(self) -> Path:
        """The folder of the WARs; `shop.war` is served under /shop after a start."""
        return self.base.resolve() / "webapps"

    @property
    def log(self) -> Path:
        """The file of Tomcat's own warnings and errors, 1 MB at most; missing if there are none.

        What the JVM and the app print since the last start is in logs/catalina.out.
        """
        return self.base.resolve() / "logs" / "tomcat.log"

    @property
    def start_command(self) -> tuple[str, ...]:
        """The argument list that starts the JVM; it does nothing while the JVM runs."""
        return self._command("start")

    @property
    def stop_command(self) -> tuple[str, ...]:
        """The argument list that stops the JVM and waits until it is gone."""
        return self._command("stop")

    @property
    def running_command(self) -> tuple[str, ...]:
        """The argument list whose exit code says whether the JVM is alive."""
        return self._command("running")

    def create(self) -> None:
        """Write the folder; leave webapps/ as it is.

        Raise ProgramError, naming the package, if Tomcat, Java or the Manager is not installed.
        """
        installed.check_tomcat(self.home)
        manager = installed.required_manager(self.home) if self.manager else None
        settings = {
            "java": str(find_java()),
            "home": str(self.home),
            "port": str(self.port),
            "patience_s": str(self.stop_patience_s),
            "classes": ":".join(str(jar) for jar in self._jars()),
            "class_data": self.class_data or "-Xshare:auto",
        }
        for name in ("conf", "logs", "temp", "webapps", "work"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name in ("server.xml", "context.xml", "web.xml", "logging.properties"):
            _put(self.base / "conf" / name, (_FILES / name).read_text())
        self._put_loaders()
        self._put_manager(manager)
        _put(
            self.base / "settings",
            "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()),
        )
        _put(self.base / "tomcat", (_FILES / "control.sh").read_text())

    def _jars(self) -> list[Path]:
        programs = [self.home / "bin" / name for name in ("bootstrap.jar", "tomcat-juli.jar")]
        return [*programs, *libraries(self.home)] if self.class_data else programs

    def _put_loaders(self) -> None:
        loaders = self.base / "conf" / "catalina.properties"
        if self.class_data:
            # No loaders of Tomcat's own for its libraries.
            _put(loaders, "common.loader=\nserver.loader=\nshared.loader=\n")
        else:
            loaders.unlink(missing_ok=True)

    def _put_manager(self, manager: Path | None) -> None:
        context, users = (self.base / "conf" / name for name in (_MANAGER_CONTEXT, _MANAGER_USERS))
        if self.manager is None or manager is None:
            context.unlink(missing_ok=True)
            users.unlink(missing_ok=True)
            return
        context.parent.mkdir(parents=True, exist_ok=True)
        text = (_FILES / context.name).read_text()
        _put(context, text.replace('"MANAGER"', quoteattr(str(manager))))
        user = (
            f"<user username={quoteattr(self.manager.name)} "
            f'password={quoteattr(self.manager.password)} roles="manager-script,manager-jmx"/>'
        )
        content = f'<?xml version="1.0" encoding="UTF-8"?>\n<tomcat-users>{user}</tomcat-users>\n'
        _put(users, content, mode=0o600)

    def _command(self, verb: str) -> tuple[str, ...]:
        # Read by sh, not executed: a process that another thread forked while the script was
        # written may briefly hold it open ("Text file busy").
        return ("/bin/sh", str(self.base.resolve() / "tomcat"), verb)


def libraries(home: Path) -> list[Path]:
    """List the jars of a Tomcat's own libraries."""
    return sorted(jar for jar in (home / "lib").glob("*.jar") if jar.exists())


def find_java(name: str = "java") -> Path:
    """Find a program of the JDK in JAVA_HOME, else on the PATH. Raise ProgramError if missing."""
    java_home = os.environ.get("JAVA_HOME")
    if java_home:
        program = Path(java_home) / "bin" / name
        if os.access(program, os.X_OK):
            return program
    return Path(find_program(name, "default-jdk-headless")).resolve()


def _put(file: Path, content: str, mode: int = 0o644) -> None:
    # Replaced, not overwritten: a shell reads its script while it runs.
    new = file.with_name(f"{file.name}.new")
    new.touch(mode)
    new.write_text(content)
    new.replace(file)
