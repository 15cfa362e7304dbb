"""The immune system on a real site: ten bad builds and ten good ones, under load.

    ./bigred bench immune

HAProxy and four Tomcats, a hundred customers with an address each, a judge that may roll back.
Every bad build of the sample shop that only its users can tell from a good one is deployed once,
between good ones; then an outage behind the shop begins in mid-rollout. A bad build must be rolled
back or held, for the right reason; a good one must succeed. Each deployment takes about a minute.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any  # what `bigred show` prints

from bigred_server.demo.demo_site import DemoSite, set_up
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.sample import BuildKind

RATE = 200.0
CUSTOMERS = 100
BEFORE_S = 26.0
DEADLINE_S = 240.0
OUTAGE = "outage"
WRONG = {
    BuildKind.ERRORS_5: "failed ",
    BuildKind.ERRORS_20: "failed ",
    BuildKind.ERRORS_ON_ORDERS: "of them on /shop/order",
    BuildKind.ERRORS_FOR_ONE: "failed ",
    BuildKind.SLOW_X2: "is slow",
    BuildKind.SLOW_TAIL: "is slow",
    BuildKind.LEAKS_MEMORY: "after garbage collection, and rising",
    BuildKind.BURNS_CPU: "",
    BuildKind.LEAKS_THREADS: "threads on",
    BuildKind.FEWER_ORDERS: "drop in orders",
}


@dataclass(frozen=True)
class Result:
    """The result of one deployment."""

    name: str
    phase: str
    reason: str
    seconds: float
    judgement: dict[str, Any]
    fault: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy all builds, and print the figures; return 1 if one ended wrongly."""
    options = parse(arguments)
    kinds = [kind for kind in WRONG if not options.only or kind in options.only]
    results: list[Result] = []
    with set_up(4, report, site()) as demo_site:
        os.environ["BIGRED_ORDERS"] = str(demo_site.folder / "orders")
        with demo_site.server():
            report(HEAD)
            for number, kind in enumerate(kinds):
                with customers(demo_site, kind.value):
                    for version, build in (
                        (f"1.{number}.1", BuildKind.GOOD),
                        (f"1.{number}.2", kind),
                    ):
                        results.append(deploy(demo_site, version, build))
                        report(line(results[-1]))
            if not options.only or OUTAGE in options.only:
                with customers(demo_site, OUTAGE):
                    results.append(outage(demo_site))
                report(line(results[-1]))
    wrong = [one for one in results if one.fault]
    report(f"{len(results)} deployments, {len(wrong)} ended wrongly")
    for one in wrong:
        report(f"  {one.name}: {one.fault} ({one.phase}: {one.reason})")
    return 1 if wrong else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench immune", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--only", nargs="*", choices=[*WRONG, OUTAGE], help="only these bad builds, or an outage"
    )
    return parser.parse_args(arguments)


@contextlib.contextmanager
def customers(demo_site: DemoSite, name: str) -> Iterator[None]:
    """Run customers until the block ends; first the judge learns its baseline."""
    with shopping(
        demo_site.folder, demo_site.url, LoadOptions(RATE, CUSTOMERS), f"traffic-{name}"
    ) as load:
        time.sleep(BEFORE_S)
        yield
        counts = load.counts()
    report(f"{'':24} {counts.requests} requests, {counts.failed} failed")


def site() -> DemoOptions:
    """Return a site with a fast judge: an hour of traffic in a minute."""
    count = [sys.executable, "-c", COUNT]
    return DemoOptions(
        counted=True,
        more={
            "apps.shop.judge": {"mode": "rollback", "warmup_s": 8.0, "extend_s": 60.0},
            "apps.shop.judge.guards": {"every_s": 3.0},
            "apps.shop.bake": {"canary_s": 30.0, "batch_s": 1.0, "last_s": 14.0},
            "apps.shop.series.orders": {"command": tuple(count), "every_s": 2.0},
        },
    )


COUNT = "import os; print(os.path.getsize(os.environ['BIGRED_ORDERS']))"


def deploy(demo_site: DemoSite, version: str, kind: BuildKind) -> Result:
    """Deploy a build, and return whether it ended as it must."""
    demo_site.bigred("submit", str(demo_site.build(version, kind)), "--version", version)
    return follow(demo_site, version, kind.value, WRONG.get(kind))


def follow(demo_site: DemoSite, version: str, name: str, reason: str | None) -> Result:
    """Deploy a release and wait for its end or a hold; `reason`: that expected of a bad one."""
    begun_s = time.monotonic()
    demo_site.bigred("deploy", version, "--no-wait")
    while True:
        shown = json.loads(demo_site.bigred("show", "--json").stdout)
        seconds = time.monotonic() - begun_s
        if shown["ended_at"] is not None or shown["phase"] == "holding" or seconds > DEADLINE_S:
            break
        time.sleep(0.5)
    phase = shown["phase"]
    if shown["ended_at"] is None:
        demo_site.bigred("rollback")
    return Result(
        f"{version} {name}",
        phase,
        shown["reason"],
        seconds,
        shown["judgement"] or {},
        fault(phase, shown["reason"], reason),
    )


def fault(phase: str, reason: str, wanted: str | None) -> str:
    """Return what is wrong, or ""."""
    if wanted is None:
        return "" if phase == "succeeded" else "a good build did not succeed"
    if phase not in ("rolled_back", "holding"):
        return "a bad build went live"
    return "" if wanted in reason else f"the reason does not say {wanted!r}"


def outage(demo_site: DemoSite) -> Result:
    """Make the service behind the shop fail for all nodes in mid-rollout."""
    version = "2.0.0"
    demo_site.bigred("submit", str(demo_site.build(version)), "--version", version)
    demo_site.bigred("deploy", version, "--no-wait")
    time.sleep(15.0)
    (demo_site.folder / "outage").touch()
    try:
        return follow(demo_site, version, "outage", "because of its environment")
    finally:
        (demo_site.folder / "outage").unlink()


HEAD = f"{'build':24} {'end':12} {'s':>5} {'new':>6} {'failed':>6} {'E':>8}  reason"


def line(one: Result) -> str:
    """Format a result as a line."""
    said = one.judgement
    return (
        f"{one.name:24} {one.phase:12} {one.seconds:5.1f} {said.get('requests', 0):6} "
        f"{said.get('failed', 0):6} {said.get('relative', 0):8.3g}  {one.reason}"
    )


def report(text: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
