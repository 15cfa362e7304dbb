"""The box's program: passes events to the state machine and carries out its effects.

It decides nothing. The button is watched in a thread of its own; the rest runs on one loop.
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
from bigred_agent.machine.effects import Effect, Publish, Say, SayText
from bigred_agent.machine.events import Event, Resumed, ServerStatus, Tick
from bigred_agent.machine.state import Policy, State
from bigred_agent.machine.step import step
from bigred_agent.phrases import pack as packs
from bigred_agent.phrases.pack import Pack, render
from bigred_agent.server_clocks import ServerClocks
from bigred_agent.voice.speaker import Speaker
from bigred_agent.wire import Decoder
from bigred_broker.connection import Delivery, NotConnectedError
from bigred_broker.delays import spread
from bigred_broker.link import Link
from bigred_broker.messages import (
    Beacon,
    BoxEvent,
    BoxInfo,
    BoxState,
    LightState,
    Reply,
    SetConfig,
    Status,
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

    `describe` returns its current info; `checkup` is None if the doctor was not asked.
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
    # Whether the button and a voice were present in the last published info.
    _described: tuple[bool, bool] | None = None
    _clocks: ServerClocks = field(default_factory=ServerClocks)

    def __post_init__(self) -> None:
        self._state = State(self.name, connectivity_since_s=time.monotonic())
        self._decoder = Decoder(self.topics, self.name)
        self.speaker.on_change = self._refresh

    async def run(self) -> None:
        """Run all parts until cancelled; each cleans up after itself."""
        loop = asyncio.get_running_loop()
        # Set here, because only now there is a loop to pass events to.
        self.watch.on_event = lambda event: _put_on_loop(loop, self._events, event)
        self._refresh()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run())
            tasks.create_task(self.player.run())
            tasks.create_task(self.speaker.run())
            tasks.create_task(self._receive())
            tasks.create_task(self._tick())
            async with _watched(self.watch):
                await self._follow_button()

    async def _follow_button(self) -> None:
        while True:
            event = await self._events.get()
            log.info("button", event_type=event.kind.value, lid=event.lid.value)
            self._step(event)

    async def _receive(self) -> None:
        while True:
            received = await self.link.events.get()
            if not isinstance(received, Delivery):
                self._step(received)
                continue
            try:
                message = self._decoder.decode(received)
                self._hear(message)
                if isinstance(message, SetConfig):
                    self._configure(message)
                elif message is not None and not isinstance(message, Beacon):
                    self._step(message)
                if message == ServerStatus(Status.ONLINE) and not received.retained:
                    asyncio.get_running_loop().call_later(spread(self.link.spread_s), self._repeat)
            finally:
                received.ack()

    def _hear(self, message: Event | Beacon | SetConfig | None) -> None:
        """Compare the server's clock with this box's, if a message carries it."""
        if isinstance(message, Beacon | Reply) and message.clock is not None:
            self._clocks = self._clocks.hear(message.clock, time.monotonic())
        if isinstance(message, Beacon):
            self.link.spread_s = message.spread_s

    def _repeat(self) -> None:
        """Publish info and state again, for a server that has just started.

        Some brokers send it no retained messages for its subscription to all boxes.
        """
        self.link.repeat([self.topics.box(self.name, "info"), self.topics.box(self.name, "state")])

    async def _tick(self) -> None:
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(TICK_S)
            stood_s = time.monotonic() - begun_s - TICK_S
            if stood_s >= self.policy.answer_deadline_s:
                log.warning("this box stood still", seconds=round(stood_s, 1))
                self._step(Resumed())
            self._step(Tick())

    def _step(self, event: Event) -> None:
        self._state, effects = step(self._state, event, time.monotonic(), self.policy)
        for effect in effects:
            self._carry_out(effect)
            # Publishes every sentence to subscribers of the state, even two at once.
            self._refresh()
        self._refresh()

    def _refresh(self) -> None:
        self._show()
        self._refresh_info()
        self._refresh_state()

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Publish():
                self._publish(effect)
            case Say(phrase, values):
                self.speaker.say(render(self.pack, phrase, **values))
            case SayText(text):
                self.speaker.say(text)

    def _publish(self, effect: Publish) -> None:
        event = BoxEvent(
            event_type=effect.kind,
            id=effect.id,
            seq=effect.seq,
            boot=self.boot,
            age_ms=round((time.monotonic() - effect.at_s) * 1000, 3),
            arming=effect.arming,
            clocks=self._clocks.at(effect.at_s),
            answer_within_ms=self.policy.answer_deadline_s * 1000,
        )
        topic = self.topics.box(self.name, "event")
        try:
            self.link.publish(topic, encode(event), expiry_s=EVENT_EXPIRY_S)
        except NotConnectedError as error:
            # The link was lost this very moment: people hear it when the reply is overdue.
            log.warning("event not sent", event_type=effect.kind.value, reason=str(error))

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
                log.warning("phrase pack not changed", reason=str(error))
        log.info("configured", muted=self.speaker.muted, pack=wanted.pack)

    def _refresh_info(self) -> None:
        """Keep the retained info up to date: a part missing at the start may be there now."""
        button, voice = bool(self._state.button), self.speaker.engine is not None
        if (button, voice) == self._described:
            return
        self._described = (button, voice)
        if self.checkup is not None and button:
            self.checkup.button_found()
        if self.checkup is not None and voice:
            self.checkup.voice_found()
        self.link.keep(self.topics.box(self.name, "info"), encode(self.describe()))

    def _refresh_state(self) -> None:
        """Keep the retained state up to date; the link sends it only if it differs."""
        state, lamp, speaker = self._state, self.player.lamp, self.speaker
        shown = self.player.light
        current = BoxState(
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
        self.link.keep(self.topics.box(self.name, "state"), encode(current))


def _put_on_loop(
    loop: asyncio.AbstractEventLoop, events: "asyncio.Queue[ButtonEvent]", event: ButtonEvent
) -> None:
    # Once the loop is closed, nobody is interested any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(events.put_nowait, event)


@contextlib.asynccontextmanager
async def _watched(watch: Watch) -> AsyncIterator[None]:
    """Watch the button in a thread while the block runs."""
    # A daemon: a USB call that never returns must not prevent the agent from exiting.
    thread = threading.Thread(target=watch.run, name="button", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop()
        await asyncio.to_thread(thread.join, 1.0)
