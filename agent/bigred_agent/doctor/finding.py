"""One finding of the doctor."""

from dataclasses import dataclass

# Subjects. Those of the button, in the order of the checks:
USB_LIBRARY = "USB library"
PRESENCE = "button"
PERMISSION = "button permission"
ANSWER = "button answer"
BUTTON = (USB_LIBRARY, PRESENCE, PERMISSION, ANSWER)
SOUND_CARD = "sound card"


@dataclass(frozen=True)
class Finding:
    """What was checked, what was seen, and how to fix it ("" if it is all right).

    A part that is configured but missing is a problem; one that is not configured is not.
    """

    subject: str
    seen: str
    fix: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether there is nothing to fix."""
        return not self.fix
