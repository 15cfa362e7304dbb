"""The live screen: the state of the demo site in the terminal, and the keys that control it."""

from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bigred_broker.messages import AppState, BoxState, Lid, NodeState
from bigred_server.demo.request_log import Counts

KEYS = "o open   c close   space press   b submit a bad release   q quit"
_MOST_LINES = 40
_LEAST_LINES = 3
# The frame of the events, and the line of keys.
_OTHER_LINES = 3

# Each pattern is shown in the colour of the LED and as text: not everybody sees colours.
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


class RecentEvents:
    """The latest lines about events."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)

    def add(self, line: str) -> None:
        """Add a line, and drop the oldest one if there are too many."""
        self._lines.append(line)

    def render(self, height: int) -> RenderableType:
        """Draw the latest `height` lines."""
        newest = list(self._lines)[-height:]
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in newest]
        missing = [Text("")] * (height - len(lines))
        return Panel(Group(*lines, *missing), title="events", title_align="left")


def screen(
    box: BoxState | None,
    app: AppState | None,
    counts: Counts,
    url: str,
    events: RecentEvents,
    height: int,
) -> RenderableType:
    """Draw the current state for a terminal of `height` lines; events fill the space left."""
    panel = max(9, 6 + len(app.nodes)) if app else 9
    lines = min(_MOST_LINES, max(_LEAST_LINES, height - panel - _OTHER_LINES))
    top = Table.grid(expand=True, padding=(0, 1))
    top.add_column(ratio=1)
    top.add_column(ratio=1)
    top.add_row(_box(box, panel), _site(app, counts, url, panel))
    return Group(top, events.render(lines), Text(KEYS, style="bold"))


def _box(box: BoxState | None, height: int) -> RenderableType:
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
        grid.add_row("voice", box.voice.engine or "none: read it above")
    return Panel(grid, title="the box", title_align="left", height=height)


def _site(app: AppState | None, counts: Counts, url: str, height: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    failed = Text(f"{counts.failed} failed", style="red" if counts.failed else "green")
    grid.add_row("requests", str(counts.requests), failed)
    if app is not None:
        phase = app.phase.replace("_", " ") if app.phase else "-"
        live = app.live.version if app.live else "-"
        waiting = app.candidate.version if app.candidate else "-"
        grid.add_row("live", live, f"next {waiting}")
        grid.add_row("phase", phase)
        for node in app.nodes:
            style = _NODES.get(node.state, "yellow")
            grid.add_row(node.name, Text(node.state, style=style), node.release)
    content = Group(Text(f"{url}/", no_wrap=True), grid)
    return Panel(content, title="the site", title_align="left", height=height)
