"""From push to live: Bigred compared with the scheme that it replaces.

    ./bigred bench push

Three Tomcats behind HAProxy under load. First the ancestor's scheme (ancestor.sh): the hook writes
a flag file, cron looks for it every minute, then each Tomcat in turn is stopped, gets the WAR, and
is started; once behind HAProxy with its own defaults of retries and health checks, once behind the
configuration that Bigred recommends. Then Bigred's: hook, build, rolling deployment
(`deploy = "when_ready"`). All build the shop by its own build command. The push comes in the middle
of a minute.
"""

import argparse
import contextlib
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.ancestor import command, plain
from tests.support.pushes import pushing, shop
from tests.support.repositories import Repository
from tests.support.rig import Rig, rig, wait_rarely

from bigred_server.demo.load import Load, LoadOptions, shopping
from bigred_server.demo.options import DemoOptions
from bigred_server.haproxy.instance import HaproxyInstance

_DEADLINE_S = 240.0
_MINUTE_S = 60.0
# The results of requests that were in flight arrive a moment later.
_AFTER_S = 2.0


@dataclass(frozen=True)
class Route:
    """The result of one way from a push to a live release.

    `waited_s`: how much of the time it only waited for cron.
    """

    name: str
    seconds: float
    waited_s: float
    requests: int
    failed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Go each way; return 1 if Bigred's loses a request."""
    options = parse(arguments)
    report(f"{'push to live':30} {'seconds':>8} {'of cron':>8} {'requests':>9} {'failed':>7}")
    lost = 0
    for go in (plain_ancestor, ancestor, bigred):
        way = go(options)
        report(
            f"{way.name:30} {way.seconds:8.1f} {way.waited_s:8.1f} {way.requests:9} {way.failed:7}"
        )
        lost = way.failed
    return 1 if lost else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench push", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    return parser.parse_args(arguments)


def plain_ancestor(options: argparse.Namespace) -> Route:
    """Go the old way once, behind HAProxy's own defaults."""
    return ancestor(options, "the ancestor, HAProxy plain", plain)


def ancestor(
    options: argparse.Namespace,
    name: str = "the ancestor, HAProxy as ours",
    change: Callable[[HaproxyInstance], None] = lambda _: None,
) -> Route:
    """Go the old way once."""
    with tempfile.TemporaryDirectory(prefix="bigred-ancestor-") as made:
        folder = Path(made)
        repository = Repository.made("git", folder / "repository", shop())
        flag, war = folder / "flag", folder / "checkout" / "target" / "shop.war"
        hook = repository.central / "hooks" / "post-receive"
        hook.write_text(f"#!/bin/sh\ntouch {flag}\n")
        hook.chmod(0o755)
        with rig(options.nodes, DemoOptions()) as place:
            place.stop()
            change(place.demo_site.haproxy)
            build = (
                f"rm -rf {folder}/checkout && git clone -q {repository.central} {folder}/checkout"
                f" && BIGRED_VERSION=2.0 sh {folder}/checkout/build.sh"
            )
            goes = shlex.join(command(flag, war, place.demo_site.nodes, folder))
            job = f"[ ! -e {flag} ] || {{ {build} && {goes}; }}"
            with cron(job), customers(place, options) as load:
                way = timed(name, place, load, lambda: repository.push("new"), "2.0")
                return replace(way, waited_s=_MINUTE_S / 2)


@contextlib.contextmanager
def cron(job: str) -> Iterator[None]:
    """Run a job at each full minute until the block ends."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(_MINUTE_S - time.time() % _MINUTE_S):
            subprocess.run(["sh", "-c", job], check=False, timeout=_DEADLINE_S)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_DEADLINE_S)


def bigred(options: argparse.Namespace) -> Route:
    """Go Bigred's way once."""
    with (
        pushing("git", options.nodes) as (place, repository),
        customers(place, options) as load,
    ):
        return timed("Bigred", place, load, lambda: repository.push("new", "2.0"), "2.0")


@contextlib.contextmanager
def customers(place: Rig, options: argparse.Namespace) -> Iterator[Load]:
    """Run customers until the block ends."""
    with shopping(place.demo_site.folder, place.demo_site.url, LoadOptions(options.rate)) as load:
        wait_rarely(lambda: load.counts().requests > options.rate, 20, "customers have come")
        yield load


def timed(name: str, place: Rig, load: Load, push: Callable[[], object], version: str) -> Route:
    """Push in the middle of a minute, and wait until every node serves the release."""
    wanted = dict.fromkeys(place.demo_site.nodes, version)
    time.sleep((_MINUTE_S / 2 - time.time()) % _MINUTE_S)
    before, begun_s = load.counts(), time.monotonic()
    push()
    wait_rarely(lambda: place.serving() == wanted, _DEADLINE_S, f"{version} is live everywhere")
    took_s = time.monotonic() - begun_s
    time.sleep(_AFTER_S)
    after = load.counts()
    requests, failed = after.requests - before.requests, after.failed - before.failed
    return Route(name, took_s, 0.0, requests, failed)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
