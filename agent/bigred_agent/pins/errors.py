"""Errors of the pins. Every text states what was seen and, after a semicolon, what to do."""

import gpiozero

NO_CHIP = "this machine has no GPIO chip; set [lights] enabled = false"
NO_HEADER = (
    "no GPIO chip of this machine is a Raspberry Pi's header (found: {seen}); "
    "name the chip of the lights in [lights] chip, or set enabled = false"
)
UNKNOWN_CHIP = "there is no GPIO chip {wanted!r} (found: {seen}); correct [lights] chip"
NOT_IN_GROUP = (
    "this user may not open {path}; add the user to the group {group} and restart the agent, "
    "or set [lights] enabled = false"
)
NO_GROUP = (
    "this user may not open {path}, which only root may; give it to the agent's group with a "
    'udev rule: SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="bigred", MODE="0660"; '
    "or set [lights] enabled = false"
)
BUSY = "{pin} is in use by {consumer!r}; free it, or choose other pins in [lights]"
BUSY_BY_US = "{pin} is in use by another bigred-agent; stop it first"
NO_LINE = "{path} has no line for {pin}; choose other pins, or another chip, in [lights]"


class NoHeaderError(gpiozero.BadPinFactory):  # type: ignore[misc]  # gpiozero has no types
    """The wanted GPIO chip was not found on this machine."""


class ForbiddenError(gpiozero.BadPinFactory):  # type: ignore[misc]
    """The agent's user may not open the GPIO chips."""


class BusyError(gpiozero.GPIOPinInUse):  # type: ignore[misc]
    """Another program, or the kernel itself, uses the line."""


class NoLineError(gpiozero.PinInvalidPin):  # type: ignore[misc]
    """The chip has no line with this number or name."""
