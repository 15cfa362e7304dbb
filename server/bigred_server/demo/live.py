"""The demo by hand: a live picture in the terminal, and the keys of whoever sits before it."""

import asyncio
import contextlib
import sys
import termios
import tty
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live

from bigred_server.demo.audience import Audience
from bigred_server.demo.crowd import Crowd, shopping
from bigred_server.demo.performance import SECOND, Play, seated, submit
from bigred_server.demo.picture import News, picture
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.sample import Kind
from bigred_server.demo.stage import Stage, set_up

_FRAMES_A_SECOND = 8
_BUTTON = {"o": "open", "c": "close", " ": "press"}
_QUIT = frozenset({"q", "\x03", "\x04"})


def play_live(play: Play) -> int:
    """Play until q is pressed; give the exit code: 0 when no customer's request failed."""
    console = Console()
    with (
        set_up(play.nodes, console.print) as stage,
        stage.server(),
        stage.box(),
        shopping(stage.folder, stage.url, play.rate) as crowd,
        _keys_at_once(),
    ):
        asyncio.run(_play(stage, play, crowd, console))
        counts = crowd.counts()
    console.print(f"{counts.requests} requests, {counts.failed} failed")
    return 1 if counts.failed else 0


async def _play(stage: Stage, play: Play, crowd: Crowd, console: Console) -> None:
    news, keys = News(), asyncio.Queue[str]()
    asyncio.get_running_loop().add_reader(
        sys.stdin.fileno(), lambda: keys.put_nowait(sys.stdin.read(1))
    )
    async with seated(stage, Reporter(news.add)) as audience:
        news.add(await asyncio.to_thread(submit, stage, SECOND, play.kind))
        painting = asyncio.create_task(_paint(stage, crowd, audience, news, console))
        try:
            await _obey(stage, keys, news)
        finally:
            painting.cancel()
            await asyncio.gather(painting, return_exceptions=True)


async def _paint(
    stage: Stage, crowd: Crowd, audience: Audience, news: News, console: Console
) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            counts = crowd.counts()
            frame = picture(
                audience.box, audience.app, counts, stage.url, news, console.size.height
            )
            live.update(frame, refresh=True)
            await asyncio.sleep(1 / _FRAMES_A_SECOND)


async def _obey(stage: Stage, keys: asyncio.Queue[str], news: News) -> None:
    """Do what the keys say until one of them says quit."""
    bad = _bad_releases()
    while (key := await keys.get()) not in _QUIT:
        if key in _BUTTON:
            await asyncio.to_thread(stage.set_button, _BUTTON[key])
        elif key == "b":
            version, kind = next(bad)
            news.add(await asyncio.to_thread(submit, stage, version, kind))


def _bad_releases() -> Iterator[tuple[str, Kind]]:
    """Give one bad release after the other, each kind in its turn."""
    kinds = [kind for kind in Kind if kind.is_bad]
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
