"""The configuration of the private HAProxy: settings that lost no requests when measured."""

from dataclasses import dataclass
from pathlib import Path

from bigred_server.haproxy import log


@dataclass(frozen=True)
class BackendConfig:
    """A backend: its name, its `servers` as (name, port on 127.0.0.1), and how they are checked.

    `check_path` must answer 200; it is requested every `check_inter_ms`, and every `check_fast_ms`
    while a node changes state. With `sticky_cookie` users stay on the node that first served them.
    A node gets at most `maxconn` requests at once; the rest queue. Requests are logged to `logs`,
    addresses in the form of HAProxy's `log` line. `paths`: further backends with the same Tomcats,
    and the beginning of the paths that lead to them; they call the servers by other names.
    """

    name: str
    servers: tuple[tuple[str, int], ...]
    check_path: str
    check_inter_ms: int = 200
    check_fast_ms: int = 100
    sticky_cookie: str | None = None
    maxconn: int | None = None
    logs: tuple[str, ...] = ()
    paths: tuple[tuple[str, str], ...] = ()

    def servers_of(self, name: str) -> tuple[tuple[str, int], ...]:
        """Return the servers under the names that a backend has for them."""
        if name == self.name:
            return self.servers
        return tuple((f"{name}-{server}", port) for server, port in self.servers)


def configuration(port: int, backend: BackendConfig, admin_socket: Path, state_file: Path) -> str:
    """Return the text of a haproxy.cfg that serves `backend` on 127.0.0.1:`port`.

    Pure. Why these settings: a GET that hits a dead or dying node is retried on another node; a
    POST that a node may have received is never sent again; a reload neither closes idle connections
    nor forgets which nodes are in maintenance. Idle connections to a node are closed soon
    (pool-purge-delay), because a stopping Tomcat waits for each of them as it does for a request.
    """
    targets = "".join(f"    log {to} len {log.LENGTH} local0 info\n" for to in backend.logs)
    logging = "    log global\n" if backend.logs else ""
    lines = "".join(f"\n    {line.format(cookie='JSESSIONID')}" for line in log.LINES)
    lines = lines if backend.logs else ""
    routes = "".join(
        f"\n    use_backend {name} if {{ path_beg {path} }}" for name, path in backend.paths
    )
    names = (backend.name, *(name for name, _ in backend.paths))
    sections = "\n\n".join(_section(backend, name) for name in names)
    return f"""\
global
    maxconn 400
    stats socket {admin_socket} mode 600 level admin expose-fd listeners
    stats timeout 60s
    server-state-file {state_file}
    hard-stop-after 60s
{targets}
defaults
    mode http
    maxconn 400
    timeout http-request 10s
    timeout http-keep-alive 30s
    timeout client 30s
    timeout connect 1s
    timeout queue 10s
    timeout server 30s
    timeout check 2s
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response
    option idle-close-on-response
    http-reuse safe
    load-server-state-from-file global
{logging}
frontend public
    bind 127.0.0.1:{port}{lines}{routes}
    default_backend {backend.name}

{sections}
"""


def _section(backend: BackendConfig, name: str) -> str:
    sticky = backend.sticky_cookie
    check = f"check maxconn {backend.maxconn}" if backend.maxconn else "check"
    servers = "\n".join(
        f"    server {server} 127.0.0.1:{port} {check}" + (f" cookie {own}" if sticky else "")
        for (server, port), (own, _) in zip(backend.servers_of(name), backend.servers, strict=True)
    )
    cookie = f"\n    cookie {sticky} insert indirect nocache" if sticky else ""
    return f"""\
backend {name}
    balance roundrobin{cookie}
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri {backend.check_path} ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server inter {backend.check_inter_ms}ms fastinter {backend.check_fast_ms}ms \
fall 2 rise 1 pool-purge-delay 100ms
{servers}"""
