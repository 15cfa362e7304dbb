"""The pin factory. gpiozero also finds it by GPIOZERO_PIN_FACTORY=bigred-gpiod."""

from typing import Any  # gpiozero has no types

from gpiozero.pins.local import LocalPiFactory

from bigred_agent.pins import header
from bigred_agent.pins.board import board_info
from bigred_agent.pins.edges import EdgeReader
from bigred_agent.pins.kernel import Kernel, RealKernel
from bigred_agent.pins.pin import GpiodPin


class GpiodFactory(LocalPiFactory):  # type: ignore[misc]  # gpiozero has no types
    """Pins of a Pi's header, or of the chip with the given label, name or path.

    Raises gpiozero's BadPinFactory: NoHeaderError, ForbiddenError.
    """

    def __init__(self, chip: str | None = None, *, kernel: Kernel | None = None) -> None:
        super().__init__()
        self.header = header.find(kernel or RealKernel(), chip)
        self.edges = EdgeReader()
        self.pin_class = GpiodPin
        self._info: Any = None
        self._is_open = True

    def __str__(self) -> str:
        return f"gpiod on {self.header.path} [{self.header.label}]"

    def close(self) -> None:
        """Release all lines and the chip."""
        super().close()
        if self._is_open:
            self._is_open = False
            self.edges.close()
            self.header.chip.close()

    def _get_board_info(self) -> Any:
        if self._info is None:
            self._info = board_info()
        return self._info
