"""Distinguishable patterns, a player that sets the lamp only on a change, and pins."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any  # gpiozero has no types

import gpiod
import pytest
from gpiod.line import Direction

from bigred_agent.doctor import hardware
from bigred_agent.errors import LightsError
from bigred_agent.lights import gpio
from bigred_agent.lights.lamp import NoLamp
from bigred_agent.lights.patterns import (
    DEFAULT_PATTERNS,
    Colour,
    Light,
    Pattern,
    alike,
    bar,
    rhythm,
)
from bigred_agent.lights.player import Player
from bigred_agent.pins import choice
from bigred_agent.pins.factory import GpiodFactory
from bigred_agent.settings import LightsSettings
from bigred_agent.testing.fake_kernel import FakeKernel

DEADLINE_S = 5.0


def test_every_pattern_has_steps() -> None:
    assert set(DEFAULT_PATTERNS) == set(Pattern)
    assert all(steps for steps in DEFAULT_PATTERNS.values())


def test_no_two_patterns_have_the_same_rhythm() -> None:
    assert alike(DEFAULT_PATTERNS) == []


def test_rhythms_differ_enough_to_be_seen() -> None:
    # Without colours, they differ in the number of blinks, in speed by a factor of two, or clearly
    # in the share of time that they are lit.
    for one, other in itertools.combinations(Pattern, 2):
        first, second = (_look(rhythm(DEFAULT_PATTERNS[pattern])) for pattern in (one, other))
        blinks, period_s, share = (abs(a - b) for a, b in zip(first, second, strict=True))
        times = max(first[1], second[1]) / max(0.001, min(first[1], second[1]))
        assert blinks or (period_s and times >= 2) or share >= 0.15, (one, other)


def _look(beats: tuple[tuple[bool, float], ...]) -> tuple[float, float, float]:
    lit_s = sum(seconds for lit, seconds in beats if lit)
    period_s = sum(seconds for _, seconds in beats)
    blinks = sum(lit for lit, _ in beats) if len(beats) > 1 else 0
    return blinks, period_s, lit_s / period_s if period_s else 1.0


def test_patterns_that_only_differ_in_colour_are_found() -> None:
    patterns = {**DEFAULT_PATTERNS, Pattern.IDLE: [(Colour.WHITE, 0.2), (Colour.OFF, 0.2)]}
    assert alike(patterns) == [(Pattern.ARMED, Pattern.IDLE)]


@pytest.mark.parametrize(
    ("progress", "length", "lit"),
    [(0, 5, 0), (1 / 3, 3, 1), (2 / 3, 3, 2), (0.99, 5, 4), (1, 5, 5), (0.5, 0, 0), (7, 2, 2)],
)
def test_the_bar_is_full_only_when_all_is_done(progress: float, length: int, lit: int) -> None:
    assert bar(progress, length) == (True,) * lit + (False,) * (length - lit)


@dataclass
class RecordingLamp:
    """Records its calls."""

    is_real: bool = True
    bar_length: int = 4
    calls: list[object] = field(default_factory=list)
    blue: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def colour(self, colour: Colour) -> None:
        self.calls.append(colour)
        if colour is Colour.BLUE:
            self.blue.set()

    def bar(self, lit: tuple[bool, ...]) -> None:
        self.calls.append(sum(lit))

    def close(self) -> None:
        self.closed = True


async def test_a_steady_light_is_set_once_and_dark_at_the_end() -> None:
    lamp = RecordingLamp()
    player = Player(lamp, {pattern: [(Colour.GREEN, 0.01)] for pattern in Pattern})
    task = asyncio.create_task(player.run())
    for _ in range(10):
        player.show(Light(Pattern.IDLE))
        player.show(Light(Pattern.ARMED))
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert lamp.calls == [Colour.GREEN]
    assert lamp.closed


async def test_a_new_pattern_shows_at_once_and_progress_only_touches_the_bar() -> None:
    lamp = RecordingLamp()
    slow = [(Colour.RED, 60.0), (Colour.OFF, 60.0)]
    player = Player(lamp, {**DEFAULT_PATTERNS, Pattern.OFFLINE: slow})
    task = asyncio.create_task(player.run())
    await asyncio.sleep(0)
    player.show(Light(Pattern.DEPLOYING, 0.25))
    player.show(Light(Pattern.DEPLOYING, 0.5))
    await asyncio.wait_for(lamp.blue.wait(), DEADLINE_S)
    task.cancel()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert lamp.calls[:4] == [Colour.RED, 1, 2, Colour.BLUE]


def test_a_box_without_lights_reports_that_it_has_none() -> None:
    lamp = NoLamp()
    lamp.colour(Colour.RED)
    lamp.bar(())
    lamp.close()
    assert not lamp.is_real


# --- pins ----------------------------------------------------------------------------------------


@pytest.fixture
def mock_pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield factory
    factory.reset()


def test_colours_and_progress_reach_the_pins_without_pwm(mock_pins: Any) -> None:
    lamp = gpio.GpioLamp((17, 27, 22), (5, 6, 13), active_high=True)
    lamp.colour(Colour.YELLOW)
    lamp.bar((True, True, False))
    levels = [mock_pins.pin(number).state for number in (17, 27, 22, 5, 6, 13)]
    assert [bool(level) for level in levels] == [True, True, False, True, True, False]
    lamp.close()
    assert [mock_pins.pin(number).function for number in (17, 5)] == ["input", "input"]


def test_common_anode_leds_are_lit_by_a_low_pin(mock_pins: Any) -> None:
    lamp = gpio.GpioLamp((17, 27, 22), (), active_high=False)
    lamp.colour(Colour.RED)
    lamp.bar(())
    assert [bool(mock_pins.pin(number).state) for number in (17, 27)] == [False, True]
    lamp.close()


def test_a_pin_in_use_is_reported_with_a_sentence(mock_pins: Any) -> None:
    first = gpio.GpioLamp((17, 27, 22), (), active_high=True)
    with pytest.raises(LightsError, match=r"can't be used: .*; choose other pins"):
        gpio.GpioLamp((17, 27, 22), (), active_high=True)
    with pytest.raises(LightsError, match="can't be used"):
        gpio.GpioLamp((1, 2, 3), (17,), active_high=True)
    first.close()


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKernel]:
    from gpiozero import Device

    kernel = FakeKernel()
    factory = GpiodFactory(kernel=kernel)
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield kernel
    factory.close()


def test_gpiod_lights_the_lines_and_releases_them_dark(kernel: FakeKernel) -> None:
    lamp = gpio.GpioLamp((17, 27, 22), (5, 6), active_high=True)
    lamp.colour(Colour.YELLOW)
    lamp.bar((True, False))
    assert [kernel.line(at).level for at in (17, 27, 22, 5, 6)] == [True, True, False, True, False]
    lamp.close()
    assert {kernel.line(at).settings.direction for at in (17, 27, 22, 5, 6)} == {Direction.INPUT}
    assert {kernel.line(at).consumer for at in (17, 27, 22, 5, 6)} == {None}


def test_the_doctor_names_the_library_and_the_chip(kernel: FakeKernel) -> None:
    finding = hardware.lights(LightsSettings())
    assert finding.is_ok
    assert finding.seen == (
        "an RGB LED and a bar of 5, driven by gpiod on /dev/gpiochip0 [pinctrl-bcm2711]"
    )


def test_the_doctor_names_the_consumer_of_a_line(kernel: FakeKernel) -> None:
    kernel.line(22).request("led1", gpiod.LineSettings())
    finding = hardware.lights(LightsSettings())
    assert finding.seen == "the GPIO pins can't be used: GPIO22 is in use by 'led1'"
    assert finding.fix == "free it, or choose other pins in [lights]"


def test_a_machine_without_pins_is_reported_with_the_fix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import gpiozero

    def no_pins(_: object) -> None:
        raise gpiozero.BadPinFactory("nothing here; buy some")

    monkeypatch.setattr(choice, "pin_factory", no_pins)
    finding = hardware.lights(LightsSettings())
    assert finding.seen == "no GPIO pins: nothing here"
    assert finding.fix == "buy some"


def test_lgpio_gets_another_folder_if_it_may_not_write_to_the_current_one(
    mock_pins: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LG_WD", raising=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    gpio.GpioLamp((17, 27, 22), (), active_high=True).close()
    assert os.environ["LG_WD"]
    monkeypatch.delenv("LG_WD")
