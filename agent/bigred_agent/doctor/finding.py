"""One finding of the doctor."""

from dataclasses import dataclass

# Subjects. What is looked at of the button, step by step:
USB_LIBRARY = "USB library"
PRESENCE = "button"
PERMISSION = "button permission"
ANSWER = "button answer"
BUTTON = (USB_LIBRARY, PRESENCE, PERMISSION, ANSWER)
SOUND_CARD = "sound card"


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was seen, and how to mend it ("" when it is well).

    What the configuration asks for and is not there must be mended; the rest is well.
    """

    subject: str
    seen: str
    mend: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.mend
