"""The configuration of the private HAProxy: the settings that lost no request when measured."""

from dataclasses import dataclass
from pathlib import Path

from bigred_server.haproxy import log


@dataclass(frozen=True)
class BackendConfig:
    """A row of nodes: its name, its `servers` as (name, port on 127.0.0.1), and how they are asked.

    `check_path` must answer 200; it is asked every `check_inter_ms`, and every `check_fast_ms`
    while a node changes. With `sticky_cookie` a user stays on the node that first served them. A
    node takes up to `maxconn` requests at once; the others queue. Requests are logged to `logs`,
    addresses as HAProxy's `log` line has them.
    """

    name: str
    servers: tuple[tuple[str, int], ...]
    check_path: str
    check_inter_ms: int = 200
    check_fast_ms: int = 100
    sticky_cookie: str | None = None
    maxconn: int | None = None
    logs: tuple[str, ...] = ()


def configuration(port: int, backend: BackendConfig, admin_socket: Path, state_file: Path) -> str:
    """Give the text of a haproxy.cfg that serves `backend` on 127.0.0.1:`port`.

    Pure. Why the settings: a GET that meets a dead or dying node is answered by another node; a
    POST that a node may have seen is never sent again; a reload neither closes idle connections nor
    forgets which node is in maintenance. Idle connections to a node are soon given up
    (pool-purge-delay), for a stopping Tomcat waits for each of them as for a request.
    """
    sticky = backend.sticky_cookie
    check = f"check maxconn {backend.maxconn}" if backend.maxconn else "check"
    servers = "\n".join(
        f"    server {name} 127.0.0.1:{node_port} {check}" + (f" cookie {name}" if sticky else "")
        for name, node_port in backend.servers
    )
    cookie = f"\n    cookie {sticky} insert indirect nocache" if sticky else ""
    targets = "".join(f"    log {to} len {log.LENGTH} local0 info\n" for to in backend.logs)
    logging = "    log global\n" if backend.logs else ""
    lines = "".join(f"\n    {line.format(cookie='JSESSIONID')}" for line in log.LINES)
    lines = lines if backend.logs else ""
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
    bind 127.0.0.1:{port}{lines}
    default_backend {backend.name}

backend {backend.name}
    balance roundrobin{cookie}
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri {backend.check_path} ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server inter {backend.check_inter_ms}ms fastinter {backend.check_fast_ms}ms \
fall 2 rise 1 pool-purge-delay 100ms
{servers}
"""
