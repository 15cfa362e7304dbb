"""The drawing of the box: a red button under a lid, and its light. Pure.

Only characters that the console of a plain Linux machine can show.
"""

from rich.text import Text

from bigred_broker.messages import Lid

WIDTH = 17
HEIGHT = 6

# Each pattern is shown in the colour of the LED and as text: not everybody sees colours.
LIGHTS = {
    "offline": "red",
    "idle": "white",
    "candidate": "blue",
    "armed": "yellow",
    "deploying": "cyan",
    "holding": "magenta",
    "rolled_back": "dark_orange",
    "succeeded": "green",
    "failed": "red",
}

_LID_UP = ("  ┌───────────┐  ", "  └───────────┘  ")
_NO_LID = (" " * WIDTH, "  ┌───────────┐  ")
_UP = ("▄▄▄▄▄▄▄▄▄", "█████████")
_DOWN = (" " * 9, "▄▄▄▄▄▄▄▄▄")
_LID_COLOUR = "bright_cyan"
_BUTTON_COLOUR = "bold red"


def drawing(lid: Lid | None, light: str, pressed: bool) -> list[Text]:
    """Draw the box in HEIGHT lines of WIDTH cells."""
    is_open = lid is Lid.OPEN
    glass = " " if is_open else "│"
    top, bottom = _DOWN if pressed else _UP
    foot = "┌───────────────┐" if is_open else "┌─┴───────────┴─┐"
    return [
        *(Text(line, style=_LID_COLOUR) for line in (_LID_UP if is_open else _NO_LID)),
        *(_row(glass, part) for part in (top, bottom)),
        Text(foot),
        Text.assemble("└────── ", ("•", LIGHTS.get(light, "white")), " ──────┘"),
    ]


def _row(glass: str, part: str) -> Text:
    side = (glass, _LID_COLOUR)
    return Text.assemble("  ", side, " ", (part, _BUTTON_COLOUR), " ", side, "  ")
