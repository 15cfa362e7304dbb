"""Why there are no pins. Every text tells what was seen and, behind a semicolon, what to do."""

import gpiozero

NO_CHIP = "this machine has no GPIO chip; set [lights] enabled = false"
NO_HEADER = (
    "no GPIO chip here is a Raspberry Pi's header (there are: {seen}); "
    "name the chip of the lights in [lights] chip, or set enabled = false"
)
UNKNOWN_CHIP = "there is no GPIO chip {wanted!r} (there are: {seen}); correct [lights] chip"
NOT_IN_GROUP = (
    "this user may not open {path}; put it into the group {group} and start anew, "
    "or set [lights] enabled = false"
)
NO_GROUP = (
    "this user may not open {path}, which belongs to root alone; give it to the agent's group by "
    'a udev rule: SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="bigred", MODE="0660"; '
    "or set [lights] enabled = false"
)
BUSY = "{pin} is in use by {consumer!r}; free it, or choose other pins in [lights]"
BUSY_BY_US = "{pin} is in use by another bigred-agent; stop that one first"
NO_LINE = "{path} has no line for {pin}; choose other pins, or another chip, in [lights]"


class NoHeaderError(gpiozero.BadPinFactory):  # type: ignore[misc]  # gpiozero has no types
    """No GPIO chip of this machine is the one that was looked for."""


class ForbiddenError(gpiozero.BadPinFactory):  # type: ignore[misc]
    """There are GPIO chips, and this user may not open them."""


class BusyError(gpiozero.GPIOPinInUse):  # type: ignore[misc]
    """Another program, or the kernel itself, holds the line."""


class NoLineError(gpiozero.PinInvalidPin):  # type: ignore[misc]
    """The chip has no line of this number or name."""
