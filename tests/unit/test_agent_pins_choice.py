"""The choice of the pin library: the requested one, lgpio, or gpiod; never another by accident."""

import sys
from collections.abc import Iterator
from importlib import metadata
from types import ModuleType

import gpiozero
import pytest
from gpiozero import BadPinFactory, Device
from gpiozero.pins.mock import MockFactory

from bigred_agent.pins import choice, kernel
from bigred_agent.pins.factory import GpiodFactory
from bigred_agent.testing.fake_kernel import FakeChip, FakeKernel


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setitem(sys.modules, "lgpio", None)
    yield
    if Device.pin_factory is not None:
        Device.pin_factory.close()


def a_machine(monkeypatch: pytest.MonkeyPatch, *chips: FakeChip) -> None:
    # The factory uses the name that it imported itself.
    fake = FakeKernel(*chips)
    monkeypatch.setattr(kernel, "RealKernel", lambda: fake)
    monkeypatch.setattr("bigred_agent.pins.factory.RealKernel", lambda: fake)


class FakeLgpioError(Exception):
    """Stands for lgpio's error."""


def with_lgpio(
    monkeypatch: pytest.MonkeyPatch, chip: int = 0, error: Exception | None = None
) -> None:
    class LGPIOFactory(MockFactory):  # type: ignore[misc]  # gpiozero has no types
        def __init__(self) -> None:
            if error is not None:
                raise error
            super().__init__()
            self.chip = chip

    lgpio, factory = ModuleType("lgpio"), ModuleType("gpiozero.pins.lgpio")
    lgpio.error = FakeLgpioError  # type: ignore[attr-defined]
    LGPIOFactory.__module__ = factory.__name__
    factory.LGPIOFactory = LGPIOFactory  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lgpio", lgpio)
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", factory)


def chosen(chip: str | None = None) -> str:
    return choice.describe(choice.pin_factory(chip))


def test_without_lgpio_it_is_gpiod(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    assert chosen() == "gpiod on /dev/gpiochip0 [pinctrl-bcm2711]"
    assert isinstance(Device.pin_factory, GpiodFactory)
    assert choice.pin_factory() is Device.pin_factory


def test_lgpio_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    with_lgpio(monkeypatch)
    assert chosen() == "lgpio"


def test_lgpio_is_trusted_on_a_machine_without_gpiod(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_machine(monkeypatch)
    with_lgpio(monkeypatch, chip=4)
    monkeypatch.setitem(sys.modules, "bigred_agent.pins.kernel", None)
    monkeypatch.delattr("bigred_agent.pins.kernel")
    assert chosen() == "lgpio"


def test_lgpio_is_not_used_if_it_picks_the_wrong_chip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = FakeChip("gpiochip0", "gpio-brcmstb@107d508500")
    a_machine(monkeypatch, other, FakeChip("gpiochip1", "pinctrl-rp1"))
    with_lgpio(monkeypatch)
    assert chosen() == "gpiod on /dev/gpiochip1 [pinctrl-rp1]"


@pytest.mark.parametrize(
    "error",
    [
        FakeLgpioError("can not open gpiochip"),
        FileNotFoundError(2, "No such file", ".lgd-nfy-3"),
        gpiozero.PinUnknownPi("unable to locate Pi revision"),
    ],
)
def test_gpiod_is_used_where_lgpio_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    a_machine(monkeypatch)
    with_lgpio(monkeypatch, error=error)
    assert chosen().startswith("gpiod")


def test_a_named_chip_is_gpiod_s(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch, FakeChip("gpiochip0", "sim"))
    with_lgpio(monkeypatch)
    assert chosen("sim") == "gpiod on /dev/gpiochip0 [sim]"


@pytest.mark.parametrize("name", ["mock", "Mock"])
def test_the_environment_overrides_the_choice(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    a_machine(monkeypatch)
    with_lgpio(monkeypatch)
    monkeypatch.setenv(choice.VARIABLE, name)
    assert chosen("sim") == "mock"


def test_the_environment_may_name_our_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    with_lgpio(monkeypatch)
    monkeypatch.setenv(choice.VARIABLE, choice.NAME)
    assert chosen().startswith("gpiod")


def test_an_unknown_factory_is_reported_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    a_machine(monkeypatch)
    monkeypatch.setenv(choice.VARIABLE, "abacus")
    with pytest.raises(BadPinFactory, match=r"GPIOZERO_PIN_FACTORY=abacus .*; unset it"):
        choice.pin_factory()


def test_an_earlier_choice_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    mock = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", mock)
    assert choice.pin_factory("sim") is mock


def test_nothing_else_is_tried_and_both_reasons_are_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_machine(monkeypatch, FakeChip(is_forbidden=True))

    def tried(*_: object) -> None:
        raise AssertionError("gpiozero was left to choose")

    monkeypatch.setattr(Device, "_default_pin_factory", tried)
    with pytest.raises(BadPinFactory) as refusal:
        choice.pin_factory()
    seen, _, fix = str(refusal.value).partition("; ")
    assert seen == "lgpio is not installed, and this user may not open /dev/gpiochip0"
    assert fix.startswith("add the user to the group gpio")


@pytest.mark.parametrize("module", ["gpiod", "gpiod.line"])
def test_a_missing_or_outdated_gpiod_is_reported(
    monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    for ours in ("factory", "kernel"):
        monkeypatch.delitem(sys.modules, f"bigred_agent.pins.{ours}")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadPinFactory, match=r"gpiod .* is not installed; install python3-libgpiod"):
        choice.pin_factory()


def test_gpiozero_finds_our_factory_by_its_entry_point() -> None:
    (found,) = metadata.entry_points(group="gpiozero_pin_factories", name=choice.NAME)
    assert found.load() is GpiodFactory
