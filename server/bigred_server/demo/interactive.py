"""The demo by hand: a live picture in the terminal, and the keys of whoever sits before it."""

import asyncio
import contextlib
import sys
import termios
import tty
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from bigred_server.demo.load import Load, shopping
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import SECOND, Scenario, submit, subscribed
from bigred_server.demo.screen import News, screen
from bigred_server.demo.subscriber import Subscriber
from bigred_server.demo.testbed import Testbed, set_up

_FRAMES_A_SECOND = 8
_BUTTON = {"o": "open", "c": "close", " ": "press"}
_QUIT = frozenset({"q", "\x03", "\x04"})


def run_interactively(play: Scenario) -> int:
    """Play until q is pressed; give the exit code: 0 when no customer's request failed."""
    console = Console()
    with (
        set_up(play.nodes, console.print) as testbed,
        testbed.server(),
        testbed.box(),
        shopping(testbed.folder, testbed.url, play.rate) as load,
        _keys_at_once(),
    ):
        asyncio.run(_play(testbed, play, load, console))
        counts = load.counts()
    console.print(f"{counts.requests} requests, {counts.failed} failed")
    return 1 if counts.failed else 0


async def _play(testbed: Testbed, play: Scenario, load: Load, console: Console) -> None:
    news, keys = News(), asyncio.Queue[str]()
    asyncio.get_running_loop().add_reader(
        sys.stdin.fileno(), lambda: keys.put_nowait(sys.stdin.read(1))
    )
    async with subscribed(testbed, Reporter(news.add)) as subscriber:
        news.add(await asyncio.to_thread(submit, testbed, SECOND, play.kind))
        painting = asyncio.create_task(_paint(testbed, load, subscriber, news, console))
        try:
            await _obey(testbed, keys, news)
        finally:
            painting.cancel()
            await asyncio.gather(painting, return_exceptions=True)


async def _paint(
    testbed: Testbed, load: Load, subscriber: Subscriber, news: News, console: Console
) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            counts = load.counts()
            frame = screen(
                subscriber.box, subscriber.app, counts, testbed.url, news, console.size.height
            )
            live.update(frame, refresh=True)
            await asyncio.sleep(1 / _FRAMES_A_SECOND)


async def _obey(testbed: Testbed, keys: asyncio.Queue[str], news: News) -> None:
    """Do what the keys say until one of them says quit."""
    bad = _bad_releases()
    while (key := await keys.get()) not in _QUIT:
        if key in _BUTTON:
            await asyncio.to_thread(testbed.set_button, _BUTTON[key])
        elif key == "b":
            version, kind = next(bad)
            news.add(await asyncio.to_thread(submit, testbed, version, kind))


def _bad_releases() -> Iterator[tuple[str, BuildKind]]:
    """Give one bad release after the other, each kind in its turn."""
    kinds = [kind for kind in BuildKind if kind.is_bad]
    number = 0
    while True:
        yield f"1.2.{number}", kinds[number % len(kinds)]
        number += 1


@contextlib.contextmanager
def _keys_at_once() -> Iterator[None]:
    """Have each key read as it is pressed, unseen; the terminal is itself again afterwards."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
