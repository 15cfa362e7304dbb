"""What it costs to look at a host and to bring it a release: this machine, directly and by SSH.

    ./bigred bench hosts

The remote one is a real sshd on loopback: this measures processes and ciphers, not the network.
"""

import asyncio
import os
import statistics
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.support import sshd

from bigred_server.artifacts.files import digest_of
from bigred_server.settings import NodeSettings
from bigred_server.tomcat.host import Host
from bigred_server.tomcat.hosts import Hosts

LOOKS = 100
RELEASES = 5
SIZE = 50 << 20


async def seconds(work: Callable[[], Awaitable[object]], times: int = 1) -> list[float]:
    """Measure how long each of several calls takes."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - begun)
    return taken


def make_war(path: Path) -> str:
    """Make a WAR that can't be compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ballast", os.urandom(SIZE))
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    return digest_of(path)


async def measure(name: str, host: Host, folder: Path) -> None:
    """Print one line for a host."""
    fetches, swaps, changed = [], [], []
    for _ in range(RELEASES):
        digest = make_war(folder / "new.war")
        fetches += await seconds(lambda: host.fetch(folder / "new.war", digest, frozenset()))  # noqa: B023
        swaps += await seconds(lambda: host.swap(digest))  # noqa: B023
        changed += await seconds(lambda: host.look(answers=True))
    looks = await seconds(lambda: host.look(answers=True), LOOKS)
    asking = await seconds(lambda: host.look(answers=False), LOOKS)
    print(  # noqa: T201
        f"{name:6} {_ms(looks):8.1f} {_ms(asking):15.1f} {_ms(changed):14.0f} "
        f"{_ms(fetches):9.0f} {_ms(swaps):8.0f}"
    )
    await host.close()


def _ms(taken: list[float]) -> float:
    return statistics.median(taken) * 1000


async def main() -> None:
    """Measure both."""
    print(f"medians in ms; a release of {SIZE >> 20} MiB")  # noqa: T201
    print("host       look  look + running  look, new WAR     fetch     swap")  # noqa: T201
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        far = sshd.make(folder / "sshd")
        with far.start():
            for reach, ssh in (("local", None), ("ssh", far.settings)):
                war = folder / reach / "webapps" / "shop.war"
                war.parent.mkdir(parents=True)
                fields = {"url": "http://127.0.0.1:1", "reach": reach, "ssh": ssh, "war": war}
                host = Hosts().of(NodeSettings.model_validate({**fields, "running": ["true"]}))
                assert host is not None
                await measure(reach, host, folder)


if __name__ == "__main__":
    asyncio.run(main())
