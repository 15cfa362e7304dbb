"""The live screen of the demo: what it shows, and that it fits every terminal."""

import itertools
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from bigred_broker.messages import (
    AppEvent,
    AppEventType,
    AppState,
    BoxState,
    Lid,
    LightState,
    NodeNote,
    NodeState,
    Phase,
    Progress,
    ReleaseNote,
    VoiceState,
)
from bigred_server.demo.button_drawing import HEIGHT, WIDTH, drawing
from bigred_server.demo.interactive import plain_keys
from bigred_server.demo.live_screen import LiveScreen
from bigred_server.demo.picture import Picture, StartStep
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.request_log import Counts
from bigred_server.demo.screen import screen
from bigred_server.demo.sections import ARMED as PRESS_NOW
from bigred_server.demo.sections import KEYS, NOTHING_YET, receipt
from bigred_server.demo.text_layout import in_ascii

SIZES = [(80, 24), (120, 40), (60, 20), (40, 24), (40, 20), (80, 12), (200, 60)]
ARMED = "System is armed! Shop 1.1.0 by Ada, to three servers."
REASON = (
    "node1: /shop/health answers as 1.1.0-other instead of 1.1.0 although the WAR with the wanted "
    "digest is in place, so the nodes that had it already go back"
)
EVENT = "node1: stop done: the Tomcat has ended after 2.31 s, and its port is no longer bound"
RECEIPT = (
    "shop 1.1.0: succeeded on 3 nodes in 18.2 s, by box demo",
    "4812 requests during the deployment: 0 failed, 2 retried, which is a long line for a receipt",
    "  node   seconds  drain  stop  start  check",
    *(f"  node{number}     6.01   0.12  2.31   3.10   0.48" for number in (1, 2, 3)),
)


def release(version: str) -> ReleaseNote:
    return ReleaseNote(digest="ab" * 32, version=version, author="Ada")


def state(phase: Phase | None = None, nodes: int = 3, done: int = 1, reason: str = "") -> AppState:
    return AppState(
        app="shop",
        phase=phase,
        deployment="d-1" if phase else None,
        release=release("1.1.0") if phase else None,
        live=release("1.0.0"),
        candidate=None if phase else release("1.1.0"),
        progress=Progress(done=done, total=nodes) if phase else None,
        nodes=tuple(
            NodeNote(name=f"node{number}", state=NodeState.SERVING, release="1.0.0")
            for number in range(1, nodes + 1)
        ),
        reason=reason,
    )


def box(
    lid: Lid = Lid.CLOSED, light: str = "candidate", said: str = "", count: int = 0
) -> BoxState:
    return BoxState(
        lid=lid,
        button_connected=True,
        lights=LightState(healthy=True, pattern=light),
        voice=VoiceState(healthy=True, engine="", said=said, count=count),
    )


WAITING = Picture(
    url="http://127.0.0.1:23456/shop",
    box=box(),
    app=state(),
    counts=Counts(12_345, 0),
    spoken=("A deployment may begin whenever somebody likes.", ARMED),
    log=(*(f"node{number % 3}: draining" for number in range(30)), EVENT),
)
STARTING = Picture(
    steps=6,
    starting=(
        StartStep("building the sample shop with javac", 2.0),
        StartStep("starting Mosquitto, HAProxy and 3 Tomcats with release 1.0.0", 4.0),
    ),
)
PICTURES = {
    "starting": STARTING,
    "waiting": WAITING,
    "armed": replace(WAITING, box=box(Lid.OPEN, "armed")),
    "nine nodes": replace(WAITING, app=state(nodes=9)),
    "rolling": replace(WAITING, app=state(Phase.ROLLING), running_s=12.0),
    "rolled back": replace(WAITING, app=state(Phase.ROLLED_BACK, reason=REASON), receipt=RECEIPT),
    "succeeded": replace(WAITING, app=state(Phase.SUCCEEDED, done=3), receipt=RECEIPT),
}


def drawn(picture: Picture, width: int = 80, height: int = 24) -> str:
    return "\n".join(line.plain for line in screen(picture, width, height))


def flat(text: str) -> str:
    """Return the text as if no line had been broken."""
    return " ".join(text.split())


def assert_whole_or_marked(shown: str, sentence: str) -> None:
    """The screen has the sentence to its end, or an ellipsis where it was cut, or none of it."""
    words = sentence.split()
    text = flat(shown)
    known = max(
        (count for count in range(1, len(words) + 1) if " ".join(words[:count]) in text), default=0
    )
    if 2 <= known < len(words):
        rest = text.partition(" ".join(words[:known]))[2]
        assert "…" in rest[: len(words[known]) + 3], f"{sentence!r} is cut in\n{shown}"


@pytest.mark.parametrize("name", PICTURES)
def test_it_fits_every_terminal_and_no_sentence_is_cut_without_an_ellipsis(name: str) -> None:
    picture = PICTURES[name]
    app = picture.app
    sentences = [
        *(picture.spoken),
        *(picture.log[-1:]),
        *(step.text for step in picture.starting),
        *(picture.receipt[:2]),
        *([app.reason] if app else []),
        PRESS_NOW if name == "armed" else NOTHING_YET,
    ]
    for width, height in itertools.product(
        [1, 10, *range(20, 131, 7), 40, 80, 120], [*range(1, 50)]
    ):
        lines = screen(picture, width, height)
        assert len(lines) == height
        assert all(line.cell_len <= width for line in lines), (width, height)
        if width >= 40 and height >= 10:
            shown = "\n".join(line.plain for line in lines)
            for sentence in sentences:
                assert_whole_or_marked(shown, sentence)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_keys_the_words_and_the_log_are_always_there(width: int, height: int) -> None:
    for name, picture in PICTURES.items():
        if name == "starting":
            continue
        shown = flat(drawn(picture, width, height))
        assert all(key in shown for key in KEYS), name
        assert "── the box says (no loudspeaker)" in shown, name
        assert f'"{ARMED}' in shown or f'"{ARMED[:20]}' in shown, name
        assert "── the server ─" in shown, name


def test_the_demo_begins_with_a_picture_that_says_what_it_is_doing() -> None:
    shown = drawn(STARTING)
    assert "██" in shown
    assert "ok building the sample shop with javac (2 s)" in shown
    assert ".. starting Mosquitto, HAProxy and 3 Tomcats with release 1.0.0 (4 s)" in shown
    assert "step 2 of 6" in shown
    assert "Ctrl-C quit" in shown
    assert "space press" not in shown


def test_lid_and_button_are_drawn() -> None:
    pictures = [
        drawing(lid, "idle", pressed)
        for lid, pressed in [(Lid.CLOSED, False), (Lid.OPEN, False), (Lid.OPEN, True)]
    ]
    for lines in pictures:
        assert [line.cell_len for line in lines] == [WIDTH] * HEIGHT
    closed, opened, pressed = ("\n".join(line.plain for line in lines) for lines in pictures)
    assert len({closed, opened, pressed}) == 3
    assert "│ █████████ │" in closed
    assert "│" not in opened
    assert "██" in opened
    assert "██" not in pressed
    assert "the lid is open" in drawn(PICTURES["armed"])
    assert "• armed" in drawn(PICTURES["armed"])
    assert NOTHING_YET in drawn(WAITING)
    assert PRESS_NOW in drawn(PICTURES["armed"])


def test_words_and_log_are_apart() -> None:
    shown = drawn(WAITING)
    words, _, log = shown.partition("── the server")
    assert ARMED in words
    assert "draining" not in words.partition("── the box says")[2]
    assert ARMED not in log
    assert "node1: stop done" in log


def test_progress_is_shown_while_a_deployment_runs() -> None:
    shown = drawn(PICTURES["rolling"])
    assert "1.1.0 goes to the other nodes" in shown
    assert "1 of 3 nodes, 12 s" in shown
    assert "█" * 13 + "░" * 27 in shown


@pytest.mark.parametrize("name", ["succeeded", "rolled back"])
def test_outcome_and_receipt_stay_on_the_screen(name: str) -> None:
    shown = drawn(PICTURES[name])
    assert {"succeeded": "1.1.0 is live on 3 nodes", "rolled back": "1.1.0 was rolled back"}[
        name
    ] in shown
    assert {"succeeded": "3 of 3 nodes", "rolled back": "1 of 3 nodes back"}[name] in shown
    assert RECEIPT[0] in shown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_receipt_s_sentences_are_wrapped_and_its_table_keeps_its_columns(width: int) -> None:
    lines = [line.plain for line in receipt(RECEIPT, width)]
    assert all(len(line) <= width for line in lines)
    assert flat(RECEIPT[1]) in flat("\n".join(lines))
    rows = [line for line in lines if line.startswith("  node")]
    assert len(rows) == 4
    assert all(
        line == whole or line.endswith("…") for line, whole in zip(rows, RECEIPT[2:], strict=True)
    )


def test_the_receipt_is_only_shown_with_its_own_outcome() -> None:
    assert RECEIPT[0] not in drawn(replace(PICTURES["rolling"], receipt=RECEIPT))


def test_a_narrow_terminal_still_has_the_button_the_nodes_and_the_outcome() -> None:
    shown = drawn(PICTURES["succeeded"], 40, 24)
    assert "█████████" in shown
    assert "node3  serving   1.0.0" in shown
    assert "1.1.0 is live on 3 nodes" in shown


@pytest.mark.parametrize(("width", "height"), [(60, 20), (40, 24), (80, 18)])
def test_nodes_that_do_not_fit_are_counted(width: int, height: int) -> None:
    shown = drawn(PICTURES["nine nodes"], width, height)
    assert "█████████" in shown
    listed = shown.count("serving")
    assert f"… and {9 - listed} more" in shown


def test_a_terminal_that_knows_only_ascii_gets_lines_of_the_same_length() -> None:
    for line in screen(WAITING, 80, 24):
        plain = in_ascii(line)
        assert plain.plain.isascii()
        assert plain.cell_len == line.cell_len


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("o", "o"),
        ("o c", "o c"),
        ("OQ", "oq"),
        ("\x1b[A", ""),
        ("\x1b[Ao", "o"),
        ("\x1bOc ", " "),
        ("\x1b[1;5Cb\x1b[3~q", "bq"),
        ("\x1bo", ""),
        ("\x1b", ""),
        ("\x03", "\x03"),
    ],
)
def test_a_key_that_sends_a_sequence_is_no_letter_of_it(typed: str, keys: str) -> None:
    assert plain_keys(typed) == keys


# --- what changes the picture --------------------------------------------------------------------


def live() -> LiveScreen:
    return LiveScreen(Console(width=80, height=24, force_terminal=True), 6)


def shown_by(screen_: LiveScreen) -> str:
    group = screen_.render()
    return "\n".join(line.plain for line in group.renderables if isinstance(line, Text))


def test_messages_change_the_picture_and_an_outcome_is_reported_once() -> None:
    watched = live()
    assert watched.keep(state()) is None
    assert watched.keep(box(Lid.OPEN, "armed")) is None
    assert watched.keep(state(Phase.ROLLING)) is None
    assert "0 s" in shown_by(watched)
    assert watched.keep(state(Phase.SUCCEEDED, done=3)) == "d-1"
    assert watched.keep(state(Phase.SUCCEEDED, done=3)) is None
    watched.show_receipt(RECEIPT)
    assert RECEIPT[0] in shown_by(watched)
    assert watched.receipt == RECEIPT
    assert watched.keep(state(Phase.CANARY).model_copy(update={"deployment": "d-2"})) is None
    assert watched.receipt == ()


def test_a_deployment_that_is_first_seen_when_it_has_ended_is_reported_too() -> None:
    assert live().keep(state(Phase.ABORTED)) == "d-1"


def test_steps_of_the_start_are_listed_until_it_has_ended() -> None:
    watched = live()
    watched.begin("building the shop")
    watched.begin("starting the box")
    assert "ok building the shop (0 s)" in shown_by(watched)
    assert ".. starting the box (0 s)" in shown_by(watched)
    watched.started()
    assert "building the shop" not in shown_by(watched)


def test_a_press_is_drawn_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    watched = live()
    watched.keep(box(Lid.OPEN, "armed"))
    assert "█████████" in shown_by(watched)
    watched.press()
    assert "█████████" not in shown_by(watched)
    now_s += 1
    assert "█████████" in shown_by(watched)


def test_the_box_s_words_go_to_the_screen_alone_and_its_light_is_not_logged() -> None:
    logged: list[str] = []
    heard: list[str] = []
    reporter = Reporter(logged.append, heard.append)
    reporter.report(box(said=ARMED, count=1))
    reporter.report(box(said=ARMED, count=1))
    reporter.report(
        AppEvent(event_type=AppEventType.ACT, app="shop", at="", node="node1", text="x")
    )
    assert heard == [ARMED]
    assert logged == ["node1: x"]


def test_without_a_screen_words_and_light_are_lines_among_the_others() -> None:
    logged: list[str] = []
    Reporter(logged.append).report(box(said=ARMED, count=1))
    assert logged == ["box light: candidate", f'box says: "{ARMED}"']
