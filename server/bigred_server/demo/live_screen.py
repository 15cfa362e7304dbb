"""The live screen at the terminal: keeps the picture, and draws it several times a second."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from rich.console import Console, Group
from rich.live import Live

from bigred_broker.messages import AppState, BoxState
from bigred_server.demo.picture import Picture, StartStep
from bigred_server.demo.request_log import Counts
from bigred_server.demo.screen import screen
from bigred_server.demo.subscriber import Received
from bigred_server.demo.text_layout import in_ascii

_FRAMES_PER_SECOND = 8
_PRESS_S = 0.6
_MOST_LINES = 100


@dataclass
class LiveScreen:
    """The picture, changed by one thread and drawn by another: each change replaces it whole."""

    console: Console
    steps: int
    _picture: Picture = field(default_factory=Picture)
    _counts: Callable[[], Counts] | None = None
    _step_s: float = field(default_factory=time.monotonic)
    _began_s: float = 0.0
    _pressed_s: float = 0.0

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Draw from now on, on a screen of its own; afterwards the terminal is as before."""
        self._picture = replace(self._picture, steps=self.steps)
        with Live(
            get_renderable=self.render,
            console=self.console,
            screen=True,
            refresh_per_second=_FRAMES_PER_SECOND,
        ):
            yield

    def begin(self, step: str) -> None:
        """Begin the next step of the start."""
        steps = (*self._timed(self._picture.starting), StartStep(step, 0.0))
        self._step_s = time.monotonic()
        self._picture = replace(self._picture, starting=steps)

    def show_site(self, url: str, counts: Callable[[], Counts]) -> None:
        """Show the site's URL, and its customers' counts whenever it is drawn."""
        self._counts = counts
        self._picture = replace(self._picture, url=url)

    def started(self) -> None:
        """End the start."""
        self._picture = replace(self._picture, starting=())

    def hear(self, text: str) -> None:
        """Add a sentence of the box."""
        self._picture = replace(self._picture, spoken=_last((*self._picture.spoken, text)))

    def log(self, text: str) -> None:
        """Add a line of the server's log."""
        self._picture = replace(self._picture, log=_last((*self._picture.log, text)))

    def press(self) -> None:
        """Show the button pressed for a moment."""
        self._pressed_s = time.monotonic()

    def keep(self, message: Received) -> str | None:
        """Show the state in a message; return the deployment that ended with it, or None."""
        match message:
            case BoxState():
                self._picture = replace(self._picture, box=message)
            case AppState():
                return self._keep_app(message)
        return None

    def show_receipt(self, lines: tuple[str, ...]) -> None:
        """Show the receipt of the deployment that ended."""
        self._picture = replace(self._picture, receipt=lines)

    @property
    def receipt(self) -> tuple[str, ...]:
        """The lines of the last receipt."""
        return self._picture.receipt

    def render(self) -> Group:
        """Draw the picture as it is now."""
        picture, now_s = self._picture, time.monotonic()
        app = picture.app
        is_running = app is not None and app.phase is not None and not app.phase.is_outcome
        picture = replace(
            picture,
            starting=self._timed(picture.starting),
            counts=self._counts() if self._counts else None,
            pressed=now_s - self._pressed_s < _PRESS_S,
            running_s=now_s - self._began_s if is_running else None,
        )
        width, height = self.console.size
        lines = screen(picture, width, height)
        if not self.console.encoding.startswith("utf"):
            lines = [in_ascii(line) for line in lines]
        return Group(*lines)

    def _keep_app(self, app: AppState) -> str | None:
        before = self._picture.app
        is_new = before is None or app.deployment != before.deployment
        if is_new:
            self._began_s = time.monotonic()
        receipt = () if is_new else self._picture.receipt
        self._picture = replace(self._picture, app=app, receipt=receipt)
        ended_before = not is_new and before and before.phase and before.phase.is_outcome
        has_ended = app.phase is not None and app.phase.is_outcome
        return app.deployment if has_ended and not ended_before else None

    def _timed(self, steps: tuple[StartStep, ...]) -> tuple[StartStep, ...]:
        if not steps:
            return ()
        return (*steps[:-1], replace(steps[-1], seconds=time.monotonic() - self._step_s))


def _last(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines[-_MOST_LINES:]
