"""Serve the HTTP API in the daemon's event loop, without handling signals or outliving it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from bigred_server.errors import ApiError

log = structlog.get_logger(__name__)

# How long requests in progress may take when the server stops, in seconds.
_GRACE_S = 2
_KEEP_ALIVE_S = 5
_CONNECTIONS = 200
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


async def serve(app: FastAPI, listening: socket.socket) -> None:
    """Serve until cancelled; then finish the requests in progress, or drop them after 2 s."""
    config = uvicorn.Config(
        app,
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    host, port = listening.getsockname()[:2]
    log.info("the HTTP API is listening", host=host, port=port)
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving, 2 * _GRACE_S)
