"""The configuration file of the demo's server: the example's sections, filled in for the stage."""

import json
from collections.abc import Mapping
from pathlib import Path

from bigred_server.tomcat.instance import TomcatInstance

APP = "shop"
BOX = "demo"


def configuration(
    state: Path, broker_port: int, admin_socket: Path, nodes: Mapping[str, TomcatInstance]
) -> str:
    """Give the text of the server's bigred.toml."""
    tables = "\n".join(_node(name, tomcat) for name, tomcat in nodes.items())
    return f"""\
[server]
state = {_quoted(state)}

[broker]
port = {broker_port}

[boxes.{BOX}]
app = "{APP}"

[apps.{APP}]
countdown_s = 0.0

[apps.{APP}.haproxy]
socket = {_quoted(admin_socket)}
backend = "{APP}"

[apps.{APP}.marker]
path = "/shop/health"

[apps.{APP}.admission]
smoke = ["/shop/", "/shop/health"]
warmup = ["/shop/"]

[apps.{APP}.deadlines]
start_s = 60.0
wrong_answer_s = 2.0

{tables}"""


def _node(name: str, tomcat: TomcatInstance) -> str:
    return f"""\
[apps.{APP}.nodes.{name}]
url = "http://127.0.0.1:{tomcat.port}"
war = {_quoted(tomcat.webapps / f"{APP}.war")}
stop = {_list(tomcat.stop_command)}
start = {_list(tomcat.start_command)}
running = {_list(tomcat.running_command)}
"""


def _quoted(path: Path) -> str:
    return json.dumps(str(path))


def _list(command: tuple[str, ...]) -> str:
    return json.dumps(list(command))
