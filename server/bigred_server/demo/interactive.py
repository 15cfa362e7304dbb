"""The interactive demo: a live screen in the terminal, controlled by keys."""

import asyncio
import contextlib
import sys
import termios
import tty
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from bigred_server.demo.demo_site import DemoSite, set_up
from bigred_server.demo.load import Load, shopping
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import SECOND, Scenario, submit, subscribed
from bigred_server.demo.screen import RecentEvents, screen
from bigred_server.demo.subscriber import Subscriber

_FRAMES_PER_SECOND = 8
_BUTTON = {"o": "open", "c": "close", " ": "press"}
_QUIT = frozenset({"q", "\x03", "\x04"})


def run_interactively(scenario: Scenario) -> int:
    """Run until q is pressed; return the exit code, 0 if no customer's request failed."""
    console = Console()
    with (
        set_up(scenario.nodes, console.print) as demo_site,
        demo_site.server(),
        demo_site.box(),
        shopping(demo_site.folder, demo_site.url, scenario.rate) as load,
        _unbuffered_keys(),
    ):
        asyncio.run(_run(demo_site, scenario, load, console))
        counts = load.counts()
    console.print(f"{counts.requests} requests, {counts.failed} failed")
    return 1 if counts.failed else 0


async def _run(demo_site: DemoSite, scenario: Scenario, load: Load, console: Console) -> None:
    events, keys = RecentEvents(), asyncio.Queue[str]()
    asyncio.get_running_loop().add_reader(
        sys.stdin.fileno(), lambda: keys.put_nowait(sys.stdin.read(1))
    )
    async with subscribed(demo_site, Reporter(events.add)) as subscriber:
        events.add(await asyncio.to_thread(submit, demo_site, SECOND, scenario.kind))
        redrawing = asyncio.create_task(_redraw(demo_site, load, subscriber, events, console))
        try:
            await _handle_keys(demo_site, keys, events)
        finally:
            redrawing.cancel()
            await asyncio.gather(redrawing, return_exceptions=True)


async def _redraw(
    demo_site: DemoSite, load: Load, subscriber: Subscriber, events: RecentEvents, console: Console
) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            counts = load.counts()
            frame = screen(
                subscriber.box, subscriber.app, counts, demo_site.url, events, console.size.height
            )
            live.update(frame, refresh=True)
            await asyncio.sleep(1 / _FRAMES_PER_SECOND)


async def _handle_keys(demo_site: DemoSite, keys: asyncio.Queue[str], events: RecentEvents) -> None:
    """Handle keys until one of them means quit."""
    bad = _bad_releases()
    while (key := await keys.get()) not in _QUIT:
        if key in _BUTTON:
            await asyncio.to_thread(demo_site.set_button, _BUTTON[key])
        elif key == "b":
            version, kind = next(bad)
            events.add(await asyncio.to_thread(submit, demo_site, version, kind))


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
