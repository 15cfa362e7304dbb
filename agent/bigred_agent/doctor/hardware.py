"""Checks the button and the lights. Run it while no agent uses them."""

from bigred_agent.build import make_button
from bigred_agent.doctor.finding import ANSWER, PERMISSION, PRESENCE, USB_LIBRARY, Finding
from bigred_agent.errors import (
    AgentError,
    ButtonAbsentError,
    ButtonBusyError,
    ButtonError,
    ButtonForbiddenError,
    LightsError,
    UsbMissingError,
)
from bigred_agent.settings import ButtonSettings, LightsSettings

_SIMULATED = "simulated button"
_READS = 5  # single reads that time out are normal

NO_ANSWER = "plug it directly into the box or into a powered hub; it needs 500 mA"


def button(settings: ButtonSettings) -> list[Finding]:
    """Check the button step by step, up to the first problem."""
    if settings.kind == "simulated":
        return [_simulated(settings)]
    try:
        found = make_button(settings)
        found.open()
    except ButtonError as error:
        return _closed(error)
    try:
        reading = next((level for _ in range(_READS) if (level := found.read())), None)
    except ButtonError as error:
        return [*_opened(found.name), Finding(ANSWER, str(error), NO_ANSWER)]
    finally:
        found.close()
    if reading is None:
        return [*_opened(found.name), Finding(ANSWER, "it does not answer", NO_ANSWER)]
    pressed = "pressed" if reading.pressed else "not pressed"
    return [
        *_opened(found.name),
        Finding(ANSWER, f"the lid is {reading.lid.value}, the button is {pressed}"),
    ]


def lights(settings: LightsSettings) -> Finding:
    """Try the pins; name the library that drives them."""
    subject = "lights"
    if not settings.enabled:
        return Finding(subject, "switched off in the configuration")
    from bigred_agent.lights.gpio import GpioLamp

    try:
        lamp = GpioLamp(
            settings.rgb_pins,
            settings.bar_pins,
            active_high=settings.active_high,
            chip=settings.chip,
        )
    except LightsError as error:
        seen, _, fix = str(error).partition("; ")
        return Finding(subject, seen, fix)
    lamp.close()
    return Finding(subject, f"an RGB LED and a bar of {lamp.bar_length}, driven by {lamp.library}")


def _simulated(settings: ButtonSettings) -> Finding:
    if settings.socket is None:
        if settings.keyboard:
            return Finding(_SIMULATED, "controlled by the keyboard")
        return Finding(
            _SIMULATED,
            "nothing controls it",
            'set [button] socket or keyboard, or kind = "dream-cheeky"',
        )
    if not settings.socket.parent.is_dir():
        return Finding(
            _SIMULATED,
            f"the folder {settings.socket.parent} does not exist",
            "create the folder, or choose another [button] socket",
        )
    return Finding(_SIMULATED, f"controlled through the socket {settings.socket}")


def _opened(name: str) -> list[Finding]:
    return [
        Finding(USB_LIBRARY, "installed"),
        Finding(PRESENCE, name),
        Finding(PERMISSION, "this user may open it"),
    ]


def _closed(error: ButtonError) -> list[Finding]:
    seen, _, fix = str(error).partition("; ")
    fix = fix or "unplug it and plug it in again"
    library = Finding(USB_LIBRARY, "installed")
    match error:
        case UsbMissingError():
            return [Finding(USB_LIBRARY, seen, fix)]
        case ButtonForbiddenError():
            return [library, Finding(PERMISSION, seen, fix)]
        case ButtonAbsentError() | ButtonBusyError() | AgentError():
            return [library, Finding(PRESENCE, seen, fix)]
