"""The parts of the live screen, each as lines that fit a width. Pure."""

from collections.abc import Sequence

from rich.text import Text

from bigred_broker.messages import AppState, Lid, NodeState, Phase
from bigred_server.demo.button_drawing import LIGHTS, drawing
from bigred_server.demo.picture import Picture
from bigred_server.demo.text_layout import bar, cut, packed, wrapped
from bigred_server.rollout.core.phase_text import phase_text

KEYS = ("o open", "c close", "space press", "b submit a bad release", "q quit")
KEYS_AT_THE_START = ("Ctrl-C quit",)
NOTHING_YET = "Nothing has been deployed yet. Open the lid, then press the button."
ARMED = "Nothing has been deployed yet. The box is armed: press the button."
NO_VOICE = "no loudspeaker"

_WIDEST_BAR = 40
_NODES = {
    NodeState.SERVING: "green",
    NodeState.DOWN: "red",
    NodeState.MAINT: "yellow",
    NodeState.UNKNOWN: "red",
    NodeState.SKIPPED: "dim",
}
_PHASES = {
    Phase.SUCCEEDED: "green",
    Phase.HOLDING: "magenta",
    Phase.ROLLING_BACK: "dark_orange",
    Phase.ROLLED_BACK: "dark_orange",
    Phase.ABORTED: "red",
    Phase.FAILED: "red",
}


def box(picture: Picture) -> tuple[list[Text], list[Text]]:
    """Return the drawing of the box, and the words that go with it."""
    state = picture.box
    if state is None:
        return drawing(None, "", False), [Text("the box is starting", style="dim")]
    light = state.lights.pattern
    lid = {Lid.OPEN: "open", Lid.CLOSED: "closed"}.get(state.lid, "unknown")
    return drawing(state.lid, light, picture.pressed), [
        Text(f"the lid is {lid}"),
        Text(f"• {light.replace('_', ' ')}", style=LIGHTS.get(light, "white")),
    ]


def site(picture: Picture, width: int, rows: int) -> list[Text]:
    """Return requests, releases and nodes; nodes that do not fit into `rows` are counted."""
    app, counts = picture.app, picture.counts
    lines = [Text(f"{picture.url}/" if picture.url else "the site is starting")]
    if counts is not None:
        style = "bold red" if counts.failed else "green"
        failed = (f"{counts.failed:,} failed", style)
        lines.append(Text.assemble(f"{counts.requests:,} requests, ", failed))
    if app is not None:
        live = app.live.version if app.live else "nothing"
        waits = f", next {app.candidate.version}" if app.candidate else ""
        lines.append(Text(f"live {live}{waits}"))
        name = max((len(node.name) for node in app.nodes), default=0)
        for node in app.nodes:
            style = _NODES.get(node.state, "yellow")
            state = (f"{node.state:<9}", style)
            lines.append(Text.assemble(f"{node.name:<{name}}  ", state, f" {node.release}"))
    if len(lines) > rows:
        lines[rows - 1 :] = [Text(f"… and {len(lines) - rows + 1} more", style="dim")]
    return [cut(line, width) for line in lines]


def start(picture: Picture, width: int) -> list[Text]:
    """Return the steps of the start."""
    steps = picture.starting
    lines = [_bar(len(steps) - 1, picture.steps, f"step {len(steps)} of {picture.steps}", width)]
    for number, step in enumerate(steps, 1):
        mark, style = ("..", "bold") if number == len(steps) else ("ok", "")
        lines += wrapped(f"{mark} {step.text} ({step.seconds:.0f} s)", width, style, indent=3)
    return lines


def deployment(picture: Picture, width: int) -> list[Text]:
    """Return progress and outcome of the newest deployment, and its receipt."""
    app = picture.app
    if app is None or app.phase is None:
        is_armed = picture.box is not None and picture.box.lights.pattern == "armed"
        return wrapped(ARMED if is_armed else NOTHING_YET, width)
    version = app.release.version if app.release else "the release"
    total = app.progress.total if app.progress else len(app.nodes)
    sentence = phase_text(app.phase, version, total, app.reason)
    lines = wrapped(sentence, width, f"bold {_PHASES.get(app.phase, 'cyan')}")
    lines.append(_progress(app, app.phase, picture.running_s, width))
    return [*lines, *(receipt(picture.receipt, width) if app.phase.is_outcome else [])]


def receipt(printed: Sequence[str], width: int) -> list[Text]:
    """Return the lines of a receipt: its sentences wrapped, its table cut, not torn apart."""
    lines: list[Text] = []
    for line in printed:
        is_table = line.startswith(" ")
        lines += [cut(Text(line), width)] if is_table else wrapped(line, width, indent=2)
    return lines


def _progress(app: AppState, phase: Phase, running_s: float | None, width: int) -> Text:
    done, total = (app.progress.done, app.progress.total) if app.progress else (0, 0)
    unit = app.progress.unit if app.progress else "nodes"
    seconds = f", {running_s:.0f} s" if running_s is not None else ""
    back = " back" if phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) else ""
    style = _PHASES.get(phase, "cyan")
    return _bar(done, total, f"{done} of {total} {unit}{back}{seconds}", width, style)


def _bar(done: int, total: int, label: str, width: int, style: str = "cyan") -> Text:
    room = max(0, min(_WIDEST_BAR, width - len(label) - 2))
    return cut(Text.assemble(bar(done, total, room, style), "  ", label), width)


def keys(picture: Picture, width: int) -> list[Text]:
    """Return the keys that work now."""
    return packed(KEYS_AT_THE_START if picture.starting else KEYS, width, "bold")
