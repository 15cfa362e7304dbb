"""An instance as Debian's tomcat10-user makes it: which commands stop it, and which do not."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.until import until

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.errors import NodeError
from bigred_server.settings import NodeSettings
from bigred_server.tomcat.installed import tomcat_home
from bigred_server.tomcat.local import LocalHost

HOME = tomcat_home()
LOCATE_JAVA = Path("/usr/libexec") / HOME.name / "tomcat-locate-java.sh"
SETENV = f"""#!/bin/sh
CATALINA_HOME={HOME}
. {LOCATE_JAVA}
if [ -z "$JAVA_OPTS" ]; then
\tJAVA_OPTS="-Djava.awt.headless=true -XX:TieredStopAtLevel=1"
fi
"""
CONTROL = """#!/bin/sh
export CATALINA_BASE="{base}"
{home}/bin/{name}
echo "Tomcat did it"
"""
SERVER_XML = """<Server port="{stop}" shutdown="SHUTDOWN"><Service name="Catalina">
<Connector port="{port}" address="127.0.0.1"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
"""

pytestmark = pytest.mark.skipif(
    not LOCATE_JAVA.exists() or "set -e" not in LOCATE_JAVA.read_text(encoding="utf-8"),
    reason="this is not Debian's Tomcat",
)


class DebianInstance:
    """The folder that tomcat10-instance-create would make."""

    def __init__(self, base: Path, *, stop_port: int) -> None:
        self.base, self.port, self.pid_file = base, free_port(), base / "tomcat.pid"
        for name in ("bin", "conf", "logs", "temp", "webapps", "work"):
            (base / name).mkdir(parents=True)
        (base / "conf" / "server.xml").write_text(SERVER_XML.format(port=self.port, stop=stop_port))
        (base / "conf" / "web.xml").write_text("<web-app/>")
        (base / "bin" / "setenv.sh").write_text(SETENV)
        for name in ("startup.sh", "shutdown.sh"):
            script = base / "bin" / name
            script.write_text(CONTROL.format(base=base, home=HOME, name=name))
            script.chmod(0o755)

    def host(self, stop: tuple[str, ...] = (), start: tuple[str, ...] = ()) -> LocalHost:
        """Return the node of the documentation, with other commands if they are given."""
        pattern = f"[c]atalina.base={self.base} "
        return LocalHost(
            NodeSettings(
                url=f"http://127.0.0.1:{self.port}",
                war=self.base / "webapps" / "shop.war",
                start=start or (str(self.base / "bin" / "startup.sh"),),
                stop=stop or ("pkill", "-TERM", "-f", pattern),
                running=("pgrep", "-f", pattern),
            )
        )

    def with_pid(self, verb: str, *words: str) -> tuple[str, ...]:
        """Return a call of catalina.sh that keeps its PID file."""
        environment = (f"CATALINA_BASE={self.base}", f"CATALINA_PID={self.pid_file}")
        return ("env", *environment, str(HOME / "bin" / "catalina.sh"), verb, *words)

    def kill(self) -> None:
        """End what a test left running."""
        found = subprocess.run(
            ["pgrep", "-f", f"[c]atalina.base={self.base} "],
            capture_output=True,
            text=True,
            check=False,
        )
        for pid in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def instance(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DebianInstance]:
    made = DebianInstance(
        tmp_path / "node1", stop_port=free_port() if hasattr(request, "param") else -1
    )
    yield made
    made.kill()


async def is_running(host: LocalHost) -> bool:
    return (await host.look(answers=False)).running is True


async def is_gone(host: LocalHost) -> bool:
    return (await host.look(answers=False)).running is False


def until_it_listens(instance: DebianInstance) -> None:
    wait_until(lambda: is_listening(instance.port), 30, "Tomcat listens")


async def test_the_documented_commands_start_and_stop_it(instance: DebianInstance) -> None:
    host = instance.host()
    assert await is_gone(host)
    await host.start(30)
    assert await is_running(host)
    until_it_listens(instance)
    await host.stop(30)
    await until(lambda: is_gone(host), 30, "Tomcat is gone")
    # Another instance whose name only begins alike is not taken for this one.
    assert await is_gone(DebianInstance(instance.base.with_name("node"), stop_port=-1).host())


async def test_without_a_shutdown_port_its_own_script_stops_nothing_and_says_it_did(
    instance: DebianInstance,
) -> None:
    host = instance.host((str(instance.base / "bin" / "shutdown.sh"),))
    await host.start(30)
    until_it_listens(instance)
    assert "Tomcat did it" in await host.stop(30)
    assert await is_running(host)


async def test_a_stop_with_a_time_does_nothing_and_says_nothing(instance: DebianInstance) -> None:
    host = instance.host(instance.with_pid("stop", "20", "-force"), instance.with_pid("start"))
    await host.start(30)
    until_it_listens(instance)
    with pytest.raises(NodeError, match="stop 20 -force ended with 1: no output"):
        await host.stop(30)
    assert await is_running(host)


@pytest.mark.parametrize("instance", [True], indirect=True, ids=["with a shutdown port"])
async def test_a_forced_stop_stops_it_fails_all_the_same_and_prevents_the_next_start(
    instance: DebianInstance,
) -> None:
    host = instance.host(instance.with_pid("stop", "-force"), instance.with_pid("start"))
    await host.start(30)
    until_it_listens(instance)
    with pytest.raises(NodeError, match="stop -force ended with 1"):
        await host.stop(30)
    await until(lambda: is_gone(host), 30, "Tomcat is gone")
    assert instance.pid_file.exists()
    with pytest.raises(NodeError, match="start ended with 1"):
        await host.start(30)
