"""Chooses the pin library that gpiozero uses on this machine."""

import os
from pathlib import Path
from typing import Any  # gpiozero has no types

from gpiozero import BadPinFactory, Device, GPIOZeroError

VARIABLE = "GPIOZERO_PIN_FACTORY"
NAME = "bigred-gpiod"  # the entry point

NO_LGPIO = "lgpio is not installed"
NO_GPIOD = (
    "the Python package gpiod (2.2 or newer) is not installed; "
    "install python3-libgpiod or gpiod, on Raspberry Pi OS python3-lgpio"
)


def pin_factory(chip: str | None = None) -> Any:
    """Return the pin factory of this process; the first call chooses it.

    That is the one named by GPIOZERO_PIN_FACTORY, else lgpio, else gpiod; `chip` is for gpiod
    only, since lgpio supports a single chip. gpiozero itself would fall back to RPi.GPIO, pigpio
    and "native" with a mere warning. Here they must be requested: RPi.GPIO and native write to the
    processor's registers behind the kernel's back, use lines that others hold, and can't drive a
    Pi 5; pigpio's pins may be those of another machine. Raises gpiozero's BadPinFactory with the
    fix after a semicolon.
    """
    if Device.pin_factory is None:
        Device.pin_factory = _choose(os.environ.get(VARIABLE, ""), chip)
    return Device.pin_factory


def describe(factory: Any) -> str:
    """Return a factory's name, for people."""
    if str(factory).startswith("gpiod"):
        return str(factory)
    return type(factory).__module__.rpartition(".")[2]


def _choose(name: str, chip: str | None) -> Any:
    if name and name.lower() != NAME:
        return _named(name)
    if name or chip:
        return _gpiod(chip)
    try:
        return _lgpio()
    except BadPinFactory as first:
        try:
            return _gpiod(None)
        except BadPinFactory as second:
            raise BadPinFactory(f"{first}, and {second}") from second


def _named(name: str) -> Any:
    try:
        return Device._default_pin_factory()  # gpiozero reads the variable itself
    # RPi.GPIO raises RuntimeErrors.
    except (GPIOZeroError, ImportError, OSError, RuntimeError) as error:
        raise BadPinFactory(f"{VARIABLE}={name} can't be used: {error}; unset it") from error


def _lgpio() -> Any:
    try:
        import lgpio
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise BadPinFactory(NO_LGPIO) from error
    except OSError as error:  # it can't create its pipe
        raise BadPinFactory(f"lgpio can't be used ({error})") from error
    try:
        factory = LGPIOFactory()
    except (lgpio.error, GPIOZeroError, OSError) as error:
        raise BadPinFactory(f"lgpio can't be used ({error})") from error
    if _is_elsewhere(factory.chip):
        factory.close()
        raise BadPinFactory(f"lgpio uses gpiochip{factory.chip}, which is not the header")
    return factory


def _is_elsewhere(number: int) -> bool:
    """Return whether the header is known to be a chip other than the one lgpio uses."""
    try:
        from bigred_agent.pins import header, kernel

        found = header.find(kernel.RealKernel())
    except ImportError:  # no gpiod, or BadPinFactory, which is an ImportError: trust lgpio
        return False
    found.chip.close()
    return found.path != Path(f"/dev/gpiochip{number}").resolve()


def _gpiod(chip: str | None) -> Any:
    try:
        from bigred_agent.pins.factory import GpiodFactory
    except ImportError as error:
        raise BadPinFactory(NO_GPIOD) from error
    return GpiodFactory(chip)
