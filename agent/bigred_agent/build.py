"""Builds a box from its settings."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable

import structlog

from bigred_agent import about, supervisor
from bigred_agent.box import Box
from bigred_agent.buttons import keyboard, socket
from bigred_agent.buttons.edges import Timing
from bigred_agent.buttons.reading import Button
from bigred_agent.buttons.simulated import SimulatedButton
from bigred_agent.buttons.watch import Watch
from bigred_agent.doctor.checkup import Checkup
from bigred_agent.errors import LightsError, UsbMissingError
from bigred_agent.lights.lamp import Lamp, NoLamp
from bigred_agent.lights.player import Player
from bigred_agent.machine.state import Policy
from bigred_agent.phrases import pack as packs
from bigred_agent.settings import AgentSettings, ButtonSettings, LightsSettings, VoiceSettings
from bigred_agent.voice.engine import Sound
from bigred_agent.voice.engines import EngineFinder
from bigred_agent.voice.speaker import Speaker
from bigred_agent.wire import intake
from bigred_broker.link import Link
from bigred_broker.messages import BoxInfo
from bigred_broker.topics import Topics

log = structlog.get_logger(__name__)

NO_PYUSB = "the USB button needs the Python package pyusb; install bigred with its extra 'agent'"


async def run(
    settings: AgentSettings,
    hint: Callable[[str], None],
    checkup: Checkup | None = None,
) -> None:
    """Run the box until SIGINT, SIGTERM or the key q. `hint` shows help to a person.

    `checkup`: the doctor's findings at the start, None if it was not asked.

    Raises AgentError if the box can't start at all.
    """
    button = make_button(settings.button)
    box = make_box(settings, button, checkup)
    running = asyncio.ensure_future(box.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    async with _simulation(settings.button, button, running.cancel, hint):
        supervisor.notify_ready()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    log.info("box stopped", box=settings.box.name)


def make_button(settings: ButtonSettings) -> Button:
    """Return the configured button. Raises UsbMissingError without pyusb."""
    if settings.kind == "simulated":
        return SimulatedButton()
    try:
        from bigred_agent.buttons.dream_cheeky import DreamCheekyButton
    except ImportError as error:
        raise UsbMissingError(NO_PYUSB) from error
    return DreamCheekyButton()


def make_lamp(settings: LightsSettings) -> Lamp:
    """Return the lights; a box without them logs it once and runs without."""
    if not settings.enabled:
        return NoLamp()
    from bigred_agent.lights.gpio import GpioLamp

    try:
        return GpioLamp(
            settings.rgb_pins,
            settings.bar_pins,
            active_high=settings.active_high,
            chip=settings.chip,
        )
    except LightsError as error:
        log.warning("running without lights", reason=str(error))
        return NoLamp()


def make_speaker(settings: VoiceSettings) -> Speaker:
    """Return the voice, a silent one if nothing can speak."""
    sound = Sound(settings.voice, settings.rate, settings.volume)
    finder = EngineFinder(settings.engine, sound, settings.card)
    return Speaker(finder.search() or (), muted=settings.muted, search=finder.search)


def make_box(settings: AgentSettings, button: Button, checkup: Checkup | None = None) -> Box:
    """Assemble the box. Needs a running loop."""
    name = settings.box.name
    topics = Topics(settings.broker.prefix)
    speaker = make_speaker(settings.voice)
    lamp = make_lamp(settings.lights)
    pack = packs.load(settings.voice.pack)
    timing = Timing(settings.button.refractory_ms / 1000, settings.button.hold_s)

    def describe() -> BoxInfo:
        findings = None if checkup is None else checkup.findings
        return about.info(button.name, pack.language, _capabilities(lamp, speaker), findings)

    log.info("box starting", box=name, broker=f"{settings.broker.host}:{settings.broker.port}")
    return Box(
        name=name,
        topics=topics,
        link=Link(settings.broker, name, topics.box(name, "status"), intake=intake(topics, name)),
        watch=Watch(button, lambda _: None, timing, settings.button.poll_ms / 1000),
        player=Player(lamp, settings.lights.all_patterns),
        speaker=speaker,
        pack=pack,
        policy=Policy(
            answer_deadline_s=settings.box.answer_deadline_s,
            outcome_light_s=settings.box.outcome_light_s,
            settle_s=settings.box.settle_s,
            identify_s=settings.box.identify_s,
        ),
        describe=describe,
        checkup=checkup,
    )


def _capabilities(lamp: Lamp, speaker: Speaker) -> tuple[str, ...]:
    has = {
        "lid": True,
        "light": lamp.is_real,
        "progress": lamp.bar_length > 0,
        "voice": speaker.engine is not None,
    }
    return tuple(name for name, present in has.items() if present)


@contextlib.asynccontextmanager
async def _simulation(
    settings: ButtonSettings,
    button: Button,
    leave: Callable[[], object],
    hint: Callable[[str], None],
) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(button, SimulatedButton):
            if settings.socket is not None:
                await stack.enter_async_context(socket.serving(button, settings.socket))
            if settings.keyboard:
                stack.enter_context(keyboard.listening(button, leave))
                hint(keyboard.HELP)
        yield
