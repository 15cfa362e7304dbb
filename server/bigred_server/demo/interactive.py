"""The interactive demo: a live screen in the terminal, controlled by keys."""

import asyncio
import contextlib
import os
import re
import select
import sys
import termios
import tty
from collections.abc import Iterator

from rich.console import Console

from bigred_server.demo.demo_site import DemoSite
from bigred_server.demo.live_screen import LiveScreen
from bigred_server.demo.load import Load
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.running_site import START_STEPS, customers, running_site
from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import SECOND, Scenario, submit, subscribed
from bigred_server.demo.sections import receipt
from bigred_server.demo.subscriber import Received

_BUTTON = {"o": "open", "c": "close", " ": "press"}
_QUIT = frozenset({"q", "\x03", "\x04"})
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]?|O.|.)?", re.DOTALL)
_SUBMITTING = "submitting {version}: {kind}"


def run_interactively(scenario: Scenario) -> int:
    """Run until q is pressed; return the exit code.

    It is 0 if no customer's request failed, apart from those that a release fails on purpose.
    """
    console = Console(highlight=False)
    # One more step than the site has: the release that waits for the button.
    live = LiveScreen(console, START_STEPS + 1)
    with contextlib.ExitStack() as shown:
        # Left before the site is stopped, which takes a while: the receipt is there at once.
        shown.enter_context(_unbuffered_keys())
        shown.enter_context(live.shown())
        with (
            running_site(scenario.nodes, scenario.site, live.begin) as demo_site,
            customers(demo_site, scenario.rate, live.begin) as load,
        ):
            asyncio.run(_run(demo_site, scenario, load, live))
            shown.close()
            for line in receipt(live.receipt or _receipt(demo_site), console.width):
                console.print(line)
            console.print("stopping the demo")
            counts = load.counts()
    console.print(f"{counts.requests} requests, {counts.failed} failed")
    return 1 if counts.failed and not scenario.kind.is_for_the_judge else 0


async def _run(demo_site: DemoSite, scenario: Scenario, load: Load, live: LiveScreen) -> None:
    live.show_site(demo_site.url, load.counts)
    reporter = Reporter(live.log, live.hear)
    receipts = asyncio.Queue[str]()

    def receive(message: Received) -> None:
        reporter.report(message)
        if ended := live.keep(message):
            receipts.put_nowait(ended)

    async with subscribed(demo_site, receive):
        live.begin(_SUBMITTING.format(version=SECOND, kind=scenario.kind))
        live.log(await asyncio.to_thread(submit, demo_site, SECOND, scenario.kind))
        typed = _drop_keys()
        live.started()
        showing = asyncio.create_task(_show_receipts(demo_site, receipts, live))
        try:
            if not _QUIT & typed:
                await _handle_keys(demo_site, live)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _show_receipts(
    demo_site: DemoSite, ended: "asyncio.Queue[str]", live: LiveScreen
) -> None:
    """Show the receipt of each deployment that has ended."""
    while True:
        live.show_receipt(await asyncio.to_thread(_receipt, demo_site, await ended.get()))


def _receipt(demo_site: DemoSite, *deployment: str) -> tuple[str, ...]:
    """Return the lines of a receipt, by default of the newest deployment; none if there is none."""
    return tuple(demo_site.bigred("show", *deployment, "--receipt").stdout.rstrip().splitlines())


async def _handle_keys(demo_site: DemoSite, live: LiveScreen) -> None:
    """Handle keys until one of them means quit."""
    keys = asyncio.Queue[str]()

    def put() -> None:
        for key in _typed():
            keys.put_nowait(key)

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), put)
    bad = _bad_releases()
    while (key := await keys.get()) not in _QUIT:
        if key in _BUTTON:
            if _BUTTON[key] == "press":
                live.press()
            await asyncio.to_thread(demo_site.set_button, _BUTTON[key])
        elif key == "b":
            version, kind = next(bad)
            live.log(_SUBMITTING.format(version=version, kind=kind))
            live.log(await asyncio.to_thread(submit, demo_site, version, kind))


def _typed() -> str:
    """Read the keys typed so far."""
    return plain_keys(os.read(sys.stdin.fileno(), 1024).decode(errors="replace"))


def plain_keys(typed: str) -> str:
    """Return what was typed as small letters, without keys like arrows: they send sequences."""
    return _SEQUENCE.sub("", typed).lower()


def _drop_keys() -> frozenset[str]:
    """Take the keys that were typed during the start: nobody saw yet what they would do."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return frozenset(_typed() if readable else "")


def _bad_releases() -> Iterator[tuple[str, BuildKind]]:
    """Yield bad releases, cycling through the kinds."""
    kinds = [kind for kind in BuildKind if kind.is_bad]
    number = 0
    while True:
        yield f"1.2.{number}", kinds[number % len(kinds)]
        number += 1


@contextlib.contextmanager
def _unbuffered_keys() -> Iterator[None]:
    """Read each key at once and without echo; restore the terminal when the block ends."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
