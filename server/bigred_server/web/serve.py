"""Serve the HTTP API in the daemon's event loop, without handling signals or outliving it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast  # uvicorn's own types

import structlog
import uvicorn
from fastapi import FastAPI

from bigred_server.errors import ApiError
from bigred_server.settings import ApiSettings
from bigred_server.web import open_files
from bigred_server.web.certificate import CHECK_S, Certificate
from bigred_server.web.connection import KEEP_ALIVE_S, Connection
from bigred_server.web.connections import Connections
from bigred_server.web.greeting import Greeting
from bigred_server.web.shortage import Shortage

log = structlog.get_logger(__name__)

# How long requests in progress may take when the server stops, in seconds.
_GRACE_S = 2
_BACKLOG = 100


Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the daemon; uvicorn would replace its handlers."""
        yield


def listening(listen: str) -> socket.socket:
    """Listen on "host:port". Raise ApiError if that fails."""
    host, _, port = listen.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, kind, protocol, _name, address = found[0]
        return _bound(socket.socket(family, kind, protocol), address)
    except OSError as error:
        raise ApiError(
            f"the HTTP API can't listen on {listen}: {error}; "
            "set 'listen' in [api] to a free address of this machine"
        ) from error


def _bound(unbound: socket.socket, address: Address) -> socket.socket:
    # Not socket.create_server(): its socket reports no TCP protocol, so asyncio would not set
    # TCP_NODELAY, and every answer would take the 40 ms of a delayed acknowledgement.
    try:
        unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        unbound.bind(address)
        unbound.listen(_BACKLOG)
    except BaseException:
        unbound.close()
        raise
    return unbound


async def serve(
    app: FastAPI,
    settings: ApiSettings,
    listening: socket.socket,
    certificate: Certificate | None = None,
) -> None:
    """Serve until cancelled; then finish the requests in progress, or drop them after 2 s.

    With a `certificate` by HTTPS, else by HTTP.
    """
    connections = Connections(_most(settings), settings.most_per_client)
    connection: Callable[..., asyncio.Protocol] = partial(Connection, connections)
    if certificate is not None:
        connection = partial(_greeting, connections, certificate)
    config = uvicorn.Config(
        app,
        loop="none",
        http=cast("type[asyncio.Protocol]", connection),
        ws="none",
        lifespan="off",
        log_config=None,
        # Not its warnings: each is about one request, so any client could fill the log with them.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    with Shortage(connections).handled(asyncio.get_running_loop()):
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        host, port = listening.getsockname()[:2]
        log.info("the HTTP API is listening", host=host, port=port, tls=certificate is not None)
        try:
            await _serving(serving, certificate)
        finally:
            server.should_exit = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(serving, 2 * _GRACE_S)


async def _serving(serving: "asyncio.Task[None]", certificate: Certificate | None) -> None:
    """Return when the server has ended; until then, look whether the certificate is renewed."""
    while True:
        done, _ = await asyncio.wait([serving], timeout=CHECK_S)
        if done:
            return serving.result()
        if certificate is not None:
            certificate.renew()


def _greeting(connections: Connections, certificate: Certificate, **made: Any) -> Greeting:
    return Greeting(connections, certificate.context, Connection(connections, **made))


def _most(settings: ApiSettings) -> int:
    """Return how many connections are allowed and possible."""
    limit = open_files.raise_limit()
    most = min(settings.most_connections, open_files.room(limit))
    if most < settings.most_connections:
        log.warning(
            "the limit on open files allows the HTTP API fewer connections than most_connections; "
            f"set LimitNOFILE={open_files.needed(settings.most_connections)} for the server, "
            "or lower most_connections",
            open_files=limit,
            connections=most,
        )
    return most
