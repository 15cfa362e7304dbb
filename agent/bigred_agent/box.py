"""The box's program: hands what happens to the state machine, and does what it wants done.

Nothing is decided here. The button is watched in a thread of its own; all else lives on one loop.
"""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.buttons.watch import Watch
from bigred_agent.doctor.checkup import Checkup
from bigred_agent.errors import PackError
from bigred_agent.lights.player import Player
from bigred_agent.machine import light
from bigred_agent.machine.deeds import Deed, Publish, Say, SayText
from bigred_agent.machine.happenings import Happening, Tick
from bigred_agent.machine.state import Policy, State
from bigred_agent.machine.step import step
from bigred_agent.phrases import pack as packs
from bigred_agent.phrases.pack import Pack, render
from bigred_agent.voice.speaker import Speaker
from bigred_agent.wire import Ear
from bigred_broker.connection import Delivery, NotConnectedError
from bigred_broker.link import Link
from bigred_broker.messages import (
    BoxEvent,
    BoxInfo,
    BoxState,
    LightState,
    SetConfig,
    VoiceState,
    encode,
)
from bigred_broker.topics import Topics

log = structlog.get_logger(__name__)

TICK_S = 0.1
EVENT_EXPIRY_S = 5


@dataclass
class Box:
    """One box with all its parts. `run` it until cancelled.

    `describe` tells what it is at the moment; `checkup` is None where the doctor did not look.
    """

    name: str
    topics: Topics
    link: Link
    watch: Watch
    player: Player
    speaker: Speaker
    pack: Pack
    policy: Policy
    describe: Callable[[], BoxInfo]
    checkup: Checkup | None = None
    boot: str = field(default_factory=lambda: uuid.uuid4().hex)
    _state: State = field(init=False)
    _events: asyncio.Queue[ButtonEvent] = field(default_factory=asyncio.Queue)
    # Whether the button and a voice were there when it last described itself.
    _described: tuple[bool, bool] | None = None

    def __post_init__(self) -> None:
        self._state = State(self.name, reach_since_s=time.monotonic())
        self._ear = Ear(self.topics, self.name)
        self.speaker.changed = self._tell

    async def run(self) -> None:
        """Run all parts until cancelled; on the way out each puts its own things in order."""
        loop = asyncio.get_running_loop()
        # Set here, because only now there is a loop to hand events to.
        self.watch.tell = lambda event: _hand_over(loop, self._events, event)
        self._tell()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run())
            tasks.create_task(self.player.run())
            tasks.create_task(self.speaker.run())
            tasks.create_task(self._hear())
            tasks.create_task(self._tick())
            async with _watched(self.watch):
                await self._feel()

    async def _feel(self) -> None:
        while True:
            event = await self._events.get()
            log.info("button", event_type=event.kind.value, lid=event.lid.value)
            self._take(event)

    async def _hear(self) -> None:
        while True:
            happening = await self.link.happenings.get()
            if not isinstance(happening, Delivery):
                self._take(happening)
                continue
            try:
                meaning = self._ear.understand(happening)
                if isinstance(meaning, SetConfig):
                    self._configure(meaning)
                elif meaning is not None:
                    self._take(meaning)
            finally:
                happening.ack()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._take(Tick())

    def _take(self, happening: Happening) -> None:
        self._state, deeds = step(self._state, happening, time.monotonic(), self.policy)
        for deed in deeds:
            self._do(deed)
            # Each sentence is seen by whoever follows the state, also when two come at once.
            self._tell()
        self._tell()

    def _tell(self) -> None:
        self._show()
        self._tell_info()
        self._tell_state()

    def _do(self, deed: Deed) -> None:
        match deed:
            case Publish():
                self._publish(deed)
            case Say(phrase, values):
                self.speaker.say(render(self.pack, phrase, **values))
            case SayText(text):
                self.speaker.say(text)

    def _publish(self, deed: Publish) -> None:
        event = BoxEvent(
            event_type=deed.kind,
            id=deed.id,
            seq=deed.seq,
            boot=self.boot,
            age_ms=round((time.monotonic() - deed.at_s) * 1000, 3),
            arming=deed.arming,
        )
        topic = self.topics.box(self.name, "event")
        try:
            self.link.publish(topic, encode(event), expiry_s=EVENT_EXPIRY_S)
        except NotConnectedError as error:
            # Lost in this very moment: the deadline of its answer tells the people.
            log.warning("event not sent", event_type=deed.kind.value, reason=str(error))

    def _show(self) -> None:
        shown = light.light(self._state)
        if shown.pattern is not self.player.light.pattern:
            log.info("light", pattern=shown.pattern.value)
        self.player.show(shown)

    def _configure(self, wanted: SetConfig) -> None:
        if wanted.muted is not None:
            self.speaker.muted = wanted.muted
        if wanted.pack is not None:
            try:
                self.pack = packs.load(wanted.pack)
            except PackError as error:
                log.warning("the phrase pack stays as it is", reason=str(error))
        log.info("configured", muted=self.speaker.muted, pack=wanted.pack)

    def _tell_info(self) -> None:
        """Keep the retained info true: what was missing at the start may have come since."""
        button, voice = bool(self._state.button), self.speaker.engine is not None
        if (button, voice) == self._described:
            return
        self._described = (button, voice)
        if self.checkup is not None and button:
            self.checkup.button_is_there()
        if self.checkup is not None and voice:
            self.checkup.voice_is_there()
        self.link.keep(self.topics.box(self.name, "info"), encode(self.describe()))

    def _tell_state(self) -> None:
        """Keep the retained state true; the link sends it only when it differs."""
        state, lamp, speaker = self._state, self.player.lamp, self.speaker
        shown = self.player.light
        told = BoxState(
            lid=state.lid,
            button_connected=bool(state.button),
            lights=LightState(
                healthy=lamp.is_real, pattern=shown.pattern.value, progress=shown.progress
            ),
            voice=VoiceState(
                healthy=speaker.healthy,
                engine=speaker.engine.name if speaker.engine else "",
                said=speaker.said,
                count=speaker.count,
            ),
        )
        self.link.keep(self.topics.box(self.name, "state"), encode(told))


def _hand_over(
    loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[ButtonEvent]", event: ButtonEvent
) -> None:
    # A loop that is closed already has nobody left to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(events.put_nowait, event)


@contextlib.asynccontextmanager
async def _watched(watch: Watch) -> AsyncIterator[None]:
    """Watch the button in a thread while the block runs."""
    # A daemon: a USB call that never returns must not keep the agent from ending.
    thread = threading.Thread(target=watch.run, name="button", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop()
        await asyncio.to_thread(thread.join, 1.0)
