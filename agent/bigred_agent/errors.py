"""What can go wrong at a box. Every text is a sentence that says what to do about it."""


class AgentError(Exception):
    """Anything the box reports about itself."""


class ButtonError(AgentError):
    """The button can't be used at the moment; it is tried again."""


class ButtonAbsentError(ButtonError):
    """There is no button, or it was unplugged."""


class ButtonForbiddenError(ButtonError, PermissionError):
    """The button is there, and this user may not open it."""


class ButtonBusyError(ButtonError):
    """Another program holds the button."""


class UsbMissingError(ButtonError):
    """No USB library is installed on this machine."""


class LightsError(AgentError):
    """The lights can't be used; the box goes on without them."""


class VoiceError(AgentError):
    """A sentence was not spoken."""


class PackError(AgentError, ValueError):
    """A phrase pack is unknown or not complete."""
