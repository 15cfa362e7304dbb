"""What can be lit: a protocol, and the lamp of a box that has none."""

from typing import Protocol

from bigred_agent.lights.patterns import Colour


class Lamp(Protocol):
    """An RGB light and a progress bar. Calls return at once."""

    @property
    def is_real(self) -> bool:
        """Whether anything is lit at all."""

    @property
    def bar_length(self) -> int:
        """How many LEDs the progress bar has."""

    def colour(self, colour: Colour) -> None:
        """Light the RGB LED."""

    def bar(self, lit: tuple[bool, ...]) -> None:
        """Light the progress bar, one value an LED."""

    def close(self) -> None:
        """Go dark."""


class NoLamp:
    """Lights nothing."""

    is_real = False
    bar_length = 0

    def colour(self, colour: Colour) -> None:
        """Light nothing."""

    def bar(self, lit: tuple[bool, ...]) -> None:
        """Light nothing."""

    def close(self) -> None:
        """Stay dark."""
