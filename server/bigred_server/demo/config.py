"""The configuration files of the demo site's servers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bigred_server.demo import cleanup
from bigred_server.demo.options import SERVER, DemoOptions, Value
from bigred_server.settings import ReachBy
from bigred_server.tomcat.instance import TomcatInstance

APP = "shop"
BOX = "demo"
MANAGER_USER = "bigred"

_APP = f"apps.{APP}"


def configuration(
    folder: Path,
    broker_port: int,
    sockets: Sequence[Path],
    nodes: Mapping[str, TomcatInstance],
    site: DemoOptions,
    log: str,
    server: str = SERVER,
) -> str:
    """Return the bigred.toml of one server of a demo site in `folder`.

    `log`: the address at which it receives HAProxy's log.
    """
    tables: dict[str, dict[str, Value]] = {
        "server": _server(folder, site, log, server),
        "broker": {"port": broker_port},
        f"boxes.{BOX}": {"app": APP},
        _APP: {**_special(site), "countdown_s": 0.0},
        f"{_APP}.haproxy": {
            "socket": _one_or_all([str(socket) for socket in sockets]),
            "backend": _one_or_all([APP, *(name for name, _ in site.paths)]),
        },
        f"{_APP}.marker": {"path": "/shop/health"},
        f"{_APP}.admission": {"smoke": ("/shop/", "/shop/health"), "warmup": ("/shop/",)},
        f"{_APP}.deadlines": {"start_s": 60.0, "wrong_answer_s": 2.0},
    }
    for name, tomcat in nodes.items():
        tables |= _node(f"{_APP}.nodes.{name}", tomcat, folder, site)
    for name, values in site.more.items():
        tables[name] = {**tables.get(name, {}), **values}
    return "\n".join(_table(name, values) for name, values in tables.items())


def state(folder: Path, server: str, site: DemoOptions) -> Path:
    """Return the state folder of a server of the demo site."""
    return folder / ("state" if server == site.servers[0] else f"state-{server}")


def password_file(folder: Path) -> Path:
    """Return the file with the password of the Managers' user."""
    return folder / "manager.password"


def _server(folder: Path, site: DemoOptions, log: str, server: str) -> dict[str, Value]:
    values: dict[str, Value] = {"state": str(state(folder, server, site)), "haproxy_log": log}
    if site.servers != (SERVER,):
        values |= {"name": server, "releases": str(folder / "releases")}
    return values | ({"database": site.database} if site.database else {})


def _special(site: DemoOptions) -> dict[str, Value]:
    plain = DemoOptions()
    values: dict[str, Value] = {"strategy": site.strategy, "sessions": site.sessions}
    return {key: value for key, value in values.items() if value != getattr(plain, key)}


def _one_or_all(values: Sequence[str]) -> Value:
    return values[0] if len(values) == 1 else tuple(values)


def _node(
    name: str, tomcat: TomcatInstance, folder: Path, site: DemoOptions
) -> dict[str, dict[str, Value]]:
    node: dict[str, Value] = {"url": f"http://127.0.0.1:{tomcat.port}"}
    tables = {name: node}
    if site.reach is not ReachBy.LOCAL:
        node["reach"] = site.reach
    if site.reach is not ReachBy.MANAGER:
        prefix = _prefix(folder, site)
        node |= {
            "war": str(tomcat.webapps / f"{APP}.war"),
            "stop": (*prefix, *tomcat.stop_command),
            "start": (*prefix, *tomcat.start_command),
            "running": (*prefix, *tomcat.running_command),
        }
    if site.ssh is not None:
        ssh = site.ssh.model_dump(exclude_none=True, mode="json")
        tables[f"{name}.ssh"] = {key: value for key, value in ssh.items() if value != ""}
    if site.has_managers:
        password = str(password_file(folder))
        tables[f"{name}.manager"] = {"user": MANAGER_USER, "password_file": password}
    return tables


def _prefix(folder: Path, site: DemoOptions) -> tuple[str, ...]:
    if site.reach is not ReachBy.SSH:
        return site.prefix
    # sshd does not pass the environment on: without the mark, cleanup would not find the Tomcat.
    return ("/usr/bin/env", f"{cleanup.MARK}={folder}", f"TMPDIR={folder}", *site.prefix)


def _table(name: str, values: Mapping[str, Value]) -> str:
    # JSON strings, numbers, booleans and lists are valid TOML, too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])
