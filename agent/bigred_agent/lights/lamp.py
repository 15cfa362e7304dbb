"""The protocol of a box's lights, and the implementation for a box without any."""

from typing import Protocol

from bigred_agent.lights.patterns import Colour


class Lamp(Protocol):
    """An RGB light and a progress bar. Calls return at once."""

    @property
    def is_real(self) -> bool:
        """Whether there are any lights."""

    @property
    def bar_length(self) -> int:
        """The number of LEDs in the progress bar."""

    def colour(self, colour: Colour) -> None:
        """Set the RGB LED."""

    def bar(self, lit: tuple[bool, ...]) -> None:
        """Set the progress bar, one value per LED."""

    def close(self) -> None:
        """Go dark."""


class NoLamp:
    """A Lamp without any lights."""

    is_real = False
    bar_length = 0

    def colour(self, colour: Colour) -> None:
        """Do nothing."""

    def bar(self, lit: tuple[bool, ...]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
