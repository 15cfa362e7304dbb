"""A box told as a story: what happens to it, and what it says, shows and sends."""

from dataclasses import dataclass, field, replace
from typing import Any  # a story sets only the keys of a message that matter to it

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.machine.effects import Effect, Publish, Say, SayText
from bigred_agent.machine.events import AppUpdate, Event, ServerStatus, Tick
from bigred_agent.machine.light import light
from bigred_agent.machine.state import Policy, State
from bigred_agent.machine.step import step
from bigred_agent.phrases.pack import load, render
from bigred_broker.link_status import LinkUp
from bigred_broker.messages import (
    Answer,
    AppState,
    EventType,
    Lid,
    Phase,
    Progress,
    ReleaseNote,
    Reply,
    Status,
)

POLICY = Policy()
PACK = load("plain")
LIDS = {EventType.LID_OPEN: Lid.OPEN, EventType.LID_CLOSE: Lid.CLOSED}
NEW = ReleaseNote(digest="b" * 64, version="1.4.2", author="Ada")
OLD = ReleaseNote(digest="a" * 64, version="1.4.1")


@dataclass
class Story:
    """A box with a clock; `heard` and `sent` hold the effects of the last event."""

    state: State = field(default_factory=lambda: State("red", connectivity_since_s=1000.0))
    now_s: float = 1000.0
    heard: list[str] = field(default_factory=list)
    sent: list[Publish] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    events: int = 0

    def happens(self, event: Event, after_s: float = 0.0) -> "Story":
        self.now_s += after_s
        self.state, effects = step(self.state, event, self.now_s, POLICY)
        self.sent = [effect for effect in effects if isinstance(effect, Publish)]
        self.heard = [_sentence(effect) for effect in effects if not isinstance(effect, Publish)]
        self.spoken += self.heard
        return self

    def button(self, kind: str, after_s: float = 0.1) -> "Story":
        event = EventType(kind)
        lid = LIDS.get(event, Lid.UNKNOWN if event is EventType.BUTTON_LOST else self.state.lid)
        self.events += 1
        return self.happens(ButtonEvent(event, f"e{self.events}", self.now_s, lid), after_s)

    def wait(self, seconds: float) -> "Story":
        heard: list[str] = []
        for _ in range(round(seconds * 10)):
            heard += self.happens(Tick(), 0.1).heard
        self.heard = heard
        return self

    def answered(self, answer: Answer, after_s: float = 0.02, **rest: Any) -> "Story":
        reply = Reply.model_validate({"id": f"e{self.events}", "answer": answer, **rest})
        return self.happens(reply, after_s)

    def armed(self) -> "Story":
        self.button("lid_open")
        return self.answered(
            Answer.ARMED, app="shop", release=NEW, nodes=4, arming="key-1", expires_in_s=60
        )

    def fired(self, countdown_s: float = 0.0) -> "Story":
        self.armed().button("press")
        return self.answered(Answer.ACCEPTED, deployment="d2", countdown_s=countdown_s)

    def app(
        self, phase: Phase | None, done: int = 0, *, retained: bool = False, **rest: Any
    ) -> "Story":
        values: dict[str, object] = {
            "app": "shop", "phase": phase, "deployment": "d2", "release": NEW, "live": OLD,
            "progress": Progress(done=done, total=3),
        }  # fmt: skip
        return self.happens(AppUpdate(AppState.model_validate(values | rest), retained), 0.5)

    @property
    def light(self) -> str:
        return light(self.state).pattern.value

    @property
    def kinds(self) -> list[str]:
        return [effect.kind.value for effect in self.sent]


def _sentence(effect: Effect) -> str:
    if isinstance(effect, Say):
        return render(PACK, effect.phrase, **effect.values)
    assert isinstance(effect, SayText)
    return effect.text


def normal() -> Story:
    """Return a box in its normal state: connected, lid closed, the last deployment long over."""
    story = Story().happens(LinkUp()).happens(ServerStatus(Status.ONLINE)).button("button_found")
    story.state = replace(story.state, lid=Lid.CLOSED)
    return story.app(Phase.SUCCEEDED, 3, retained=True, deployment="d1", release=OLD, live=OLD)
