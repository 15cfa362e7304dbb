"""The picture: the stage live in the terminal, and the keys that play on it."""

from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bigred_broker.messages import AppState, BoxState, Lid, NodeState
from bigred_server.demo.samples import Counts

KEYS = "o open   c close   space press   b submit a bad release   q quit"
_LINES = 14

# Each pattern as the LED would show it, and in a word: colour alone is not for everybody.
_LIGHTS = {
    "offline": "red",
    "idle": "white",
    "candidate": "blue",
    "armed": "yellow",
    "deploying": "cyan",
    "holding": "magenta",
    "rolled_back": "dark_orange",
    "succeeded": "green",
    "failed": "red",
}
_NODES = {
    NodeState.SERVING: "green",
    NodeState.DOWN: "red",
    NodeState.UNKNOWN: "red",
    NodeState.SKIPPED: "dim",
}


class News:
    """The last lines of what happened."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)

    def add(self, line: str) -> None:
        """Add a line; the oldest goes."""
        self._lines.append(line)

    def render(self) -> RenderableType:
        """Draw the lines."""
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in self._lines]
        missing = [Text("")] * (_LINES - len(lines))
        return Panel(Group(*lines, *missing), title="what happens", title_align="left")


def picture(
    box: BoxState | None, app: AppState | None, counts: Counts, url: str, news: News
) -> RenderableType:
    """Draw the stage as it stands."""
    top = Table.grid(expand=True, padding=(0, 1))
    top.add_column(ratio=1)
    top.add_column(ratio=1)
    top.add_row(_box(box), _site(app, counts, url))
    return Group(top, news.render(), Text(KEYS, style="bold"))


def _box(box: BoxState | None) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    if box is None:
        grid.add_row("the box is starting")
    else:
        style = _LIGHTS.get(box.lights.pattern, "white")
        lid = {Lid.OPEN: "open", Lid.CLOSED: "closed"}.get(box.lid, "unknown")
        grid.add_row("lid", lid)
        grid.add_row("light", Text(f"● {box.lights.pattern.replace('_', ' ')}", style=style))
        grid.add_row("progress", ProgressBar(total=1, completed=box.lights.progress, width=24))
        grid.add_row("says", Text(box.voice.said or "-", style="italic"))
        grid.add_row("voice", box.voice.engine or "no sound card: read it here")
    return Panel(grid, title="the box", title_align="left", height=9)


def _site(app: AppState | None, counts: Counts, url: str) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    failed = Text(f"{counts.failed} failed", style="red" if counts.failed else "green")
    grid.add_row("requests", f"{counts.requests} to {url}/", failed)
    if app is not None:
        phase = app.phase.replace("_", " ") if app.phase else "-"
        live = app.live.version if app.live else "-"
        waiting = app.candidate.version if app.candidate else "-"
        grid.add_row("live", live, f"next {waiting}")
        grid.add_row("phase", phase)
        for node in app.nodes:
            style = _NODES.get(node.state, "yellow")
            grid.add_row(node.name, Text(node.state, style=style), node.release)
    height = max(9, 5 + len(app.nodes)) if app else 9
    return Panel(grid, title="the site", title_align="left", height=height)
