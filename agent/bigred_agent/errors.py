"""The box's errors. Every text says what to do about it."""


class AgentError(Exception):
    """The base of the box's errors."""


class ButtonError(AgentError):
    """The button can't be used at the moment; the box retries."""


class ButtonAbsentError(ButtonError):
    """The button is not plugged in."""


class ButtonForbiddenError(ButtonError, PermissionError):
    """The agent's user may not open the button."""


class ButtonBusyError(ButtonError):
    """Another program uses the button."""


class UsbMissingError(ButtonError):
    """No USB library is installed on this machine."""


class LightsError(AgentError):
    """The lights can't be used; the box runs without them."""


class VoiceError(AgentError):
    """A sentence could not be spoken."""


class PackError(AgentError, ValueError):
    """A phrase pack is unknown or incomplete."""
