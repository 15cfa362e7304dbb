"""How fast the HTTP API is: one request after another to a server on the same machine.

    ./bigred bench api --requests 500

The server's journal is empty, and there is neither HAProxy nor a broker; it keeps trying to reach
them, as it does on a site. Each figure is the time from the request to the end of its answer, on
one connection that is kept open, and (for the first route) on a new one each time.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import httpx2
from tests.support import tokens

from bigred_broker.program import free_port, running
from bigred_server.model.api_token import Role

MOST_REQUESTS = 100_000
DEADLINE_S = 30.0
TOKEN = "bench"  # noqa: S105
SHOP = "/api/v1/apps/shop"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="./bigred bench api", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--requests", type=int, default=500, help="of each kind (default 500)")
    count = max(1, min(parser.parse_args(arguments).requests, MOST_REQUESTS))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = write(Path(folder), port)
        bigred = Path(sys.executable).with_name("bigred")
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with (
            httpx2.Client(base_url=url, headers=headers, timeout=DEADLINE_S) as http,
            running(
                "the server",
                [str(bigred), "server", "--config", str(config)],
                Path(folder) / "server.log",
                lambda: answers(http, SHOP),
                DEADLINE_S,
            ),
        ):
            report(f"{count} requests each, in ms              median      p90      p99      max")
            for path in (SHOP, f"{SHOP}/releases", f"{SHOP}/deployments", "/healthz"):
                report(figures(f"GET {path}", times(count, partial(http.get, path))))

            def anew() -> httpx2.Response:
                return http.get(SHOP, headers={"Connection": "close"})

            report(figures(f"GET {SHOP}, new connection", times(count, anew)))
    return 0


def write(folder: Path, port: int) -> Path:
    """Write the server's configuration."""
    config = folder / "bigred.toml"
    nodes = "\n".join(
        f'[apps.shop.nodes.node{n}]\nurl = "http://127.0.0.1:{free_port()}"\n'
        f'war = "{folder}/{n}/shop.war"\nstop = ["true"]\nstart = ["true"]\nrunning = ["true"]'
        for n in range(1, 5)
    )
    config.write_text(
        f'[server]\nstate = "{folder}/state"\n[broker]\nport = {free_port()}\n'
        f'[api]\nlisten = "127.0.0.1:{port}"\n'
        f'[apps.shop]\nhaproxy = {{ socket = "{folder}/none", backend = "shop" }}\n'
        f'marker = {{ path = "/" }}\n{nodes}\n'
    )
    tokens.put(folder / "state" / "bigred.db", {TOKEN: Role.VIEWER})
    return config


def answers(http: httpx2.Client, path: str) -> bool:
    """Return whether the server reports the nodes already."""
    try:
        return bool(http.get(path).json()["nodes"])
    except httpx2.TransportError:
        return False


def times(count: int, ask: Callable[[], httpx2.Response]) -> list[float]:
    """Return the milliseconds of each request; stop at the first that fails."""
    taken = []
    for _ in range(count):
        begun_s = time.monotonic()
        ask().raise_for_status()
        taken.append((time.monotonic() - begun_s) * 1000)
    return taken


def figures(name: str, values: Sequence[float]) -> str:
    """Format the distribution of one figure."""
    ascending = sorted(values)
    ranks = [ascending[min(len(ascending) - 1, int(len(ascending) * part))] for part in (0.9, 0.99)]
    shown = [statistics.median(ascending), *ranks, ascending[-1]]
    return f"{name:<40}" + "".join(f"{value:9.2f}" for value in shown)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
