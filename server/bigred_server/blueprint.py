"""The configuration file of a site that has a HAProxy already: the example, with its nodes in it.

Pure. What HAProxy can't tell stays the example's and is marked EDIT; no comment is lost, for they
are the documentation.
"""

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bigred_server.haproxy.survey import SurveyedServer

EDIT = "# EDIT"
_INTRO = "# One table a node"
_OTHER_MACHINE = "# Another machine"
_MANAGER = "# Tomcat's Manager"
_LONGEST_ID = 32


@dataclass(frozen=True)
class Site:
    """What HAProxy told: its Runtime APIs, a backend, its servers, and the path its check asks.

    `home`: the machine that is HAProxy's own 127.0.0.1, "" for this one.
    """

    sockets: tuple[str, ...]
    backend: str
    servers: tuple[SurveyedServer, ...]
    check_path: str = ""
    home: str = ""


@dataclass(frozen=True)
class _Node:
    id: str
    server: str
    url: str
    host: str  # "" for this machine
    war: str
    service: str


def tailored(example: str, site: Site) -> str:
    """Fill the annotated example in for a site; it can be loaded at once."""
    app = identifiers([site.backend])[0]
    head, _, tail = example.partition(_INTRO)
    local, _, tail = tail.partition(_OTHER_MACHINE)
    remote, _, manager = tail.partition(_MANAGER)
    intro, _, local = local.partition("\n")
    nodes = _nodes(site, _context(site, app) or app)
    parts = [_first_lines(site), _head(head, site, app), f"{_INTRO}{intro}\n"]
    blocks = {"": local, "ssh": _OTHER_MACHINE + remote}
    unused = dict(blocks)
    for node in nodes:
        kind = "ssh" if node.host else ""
        parts.append(_table(blocks[kind], node, app))
        blocks[kind] = _bare(blocks[kind])
        unused.pop(kind, None)
    parts += [_aside(block.replace("apps.shop", f"apps.{app}")) for block in unused.values()]
    named = re.sub(r"apps\.shop\.nodes\.\w+", f"apps.{app}.nodes.{nodes[0].id}", manager)
    parts.append(_aside(_MANAGER + named))
    return "".join(parts)


def identifiers(names: Sequence[str]) -> list[str]:
    """Turn names into ids, 1 to 32 of a-z, 0-9 and "-", no two alike."""
    ids: list[str] = []
    for name in names:
        plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_ID].strip("-")
        candidate, number = plain or "node", 2
        while candidate in ids:
            suffix = f"-{number}"
            candidate = f"{(plain or 'node')[: _LONGEST_ID - len(suffix)]}{suffix}"
            number += 1
        ids.append(candidate)
    return ids


def _first_lines(site: Site) -> str:
    sockets = ", ".join(map(_toml, site.sockets))
    return (
        f"# Filled in from HAProxy at {sockets}, backend {_toml(site.backend)}.\n"
        f'# Look for "{EDIT[2:]}": what HAProxy can\'t tell. `bigred doctor` checks the rest.\n\n'
    )


def _context(site: Site, app: str) -> str:
    # "/shop/health" asks the app under /shop; "/health" tells nothing.
    first, slash, _ = site.check_path.removeprefix("/").partition("/")
    return first if slash and first and first != app and " " not in first else ""


def _head(text: str, site: Site, app: str) -> str:
    sockets = site.sockets[0] if len(site.sockets) == 1 else list(site.sockets)
    path = site.check_path or f"/{app}/health"
    source = "HAProxy's check asks this; " if site.check_path else ""
    context = _context(site, app)
    changes = {
        'app = "shop"': f'app = "{app}"',
        '#context = "/shop"': f"context = {_toml('/' + context)}"
        if context
        else f'#context = "/{app}"',
        'socket = "/run/haproxy/admin.sock"': f"socket = {_toml(sockets)}",
        'backend = "shop"': f"backend = {_toml(site.backend)}",
        'path = "/shop/health"': f"{EDIT}: {source}does the app tell its release there?\n"
        f"path = {_toml(path)}",
    }
    text = text.replace("[apps.shop", f"[apps.{app}")
    for old, new in changes.items():
        text = _with_line(text, re.escape(old), new)
    return text


def _nodes(site: Site, war: str) -> list[_Node]:
    ids = identifiers([server.name for server in site.servers])
    hosts = [_host(server.address, site.home) for server in site.servers]
    nodes = []
    for name, server, host in zip(ids, site.servers, hosts, strict=True):
        service = "tomcat10" if hosts.count(host) == 1 else f"tomcat10-{name}"
        port = server.address.rpartition(":")[2] or "8080"
        scheme = "https" if server.tls else "http"
        shown = f"[{host}]" if ":" in host else host or "127.0.0.1"
        url = f"{scheme}://{shown}:{port}"
        path = f"/var/lib/{service}/webapps/{war}.war"
        nodes.append(_Node(name, server.name, url, host, path, service))
    return nodes


def _host(address: str, home: str) -> str:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return home if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return home if host in ("", "localhost") else host


def _table(block: str, node: _Node, app: str) -> str:
    same = node.id == node.server
    values = {
        "url": f"url = {_toml(node.url)}",
        "#server": f'#server = "{node.id}"' if same else f"server = {_toml(node.server)}",
        "war": f"war = {_toml(node.war)}",
        "#kept": f"#kept = {_toml(f'/var/lib/{node.service}/bigred-releases')}",
        "host": f"host = {_toml(node.host)}",
    }
    told = f"{EDIT}: the url is HAProxy's; war, stop, start and running are guesses.\n"
    text = re.sub(r"(apps\.)shop(\.nodes\.)node\d", rf"\g<1>{app}\g<2>{node.id}", block)
    header = f"[apps.{app}.nodes.{node.id}]\n"
    text = text.replace(header, header + told)
    text = text.replace('"tomcat10"', json.dumps(node.service))
    for key, line in values.items():
        text = _with_line(text, f"{key} = .*", line)
    return text


def _with_line(text: str, pattern: str, line: str) -> str:
    return re.sub(f"^{pattern}$", line.replace("\\", r"\\"), text, flags=re.MULTILINE)


def _bare(block: str) -> str:
    # The second table of a kind needs no explanation.
    keys = [line for line in block.splitlines() if line.startswith("#server") or line[:1] != "#"]
    return "\n".join([*keys, ""])


def _aside(block: str) -> str:
    # What nobody uses yet stays as documentation.
    return re.sub(r"(?m)^(?=[\[a-z])", "#", block)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
