"""A gpiozero pin on a line of a GPIO chip."""

from datetime import timedelta
from typing import Any  # gpiozero has no types

import gpiod
import gpiozero
from gpiod.line import Bias, Direction, Edge
from gpiozero.pins.local import LocalPiPin

from bigred_agent.pins.line import Line, value

_PULLS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_EDGES = {"none": Edge.NONE, "rising": Edge.RISING, "falling": Edge.FALLING, "both": Edge.BOTH}


class GpiodPin(LocalPiPin):  # type: ignore[misc]  # gpiozero has no types
    """An output, or an input with pull and edges. No PWM: the kernel's interface has none."""

    def __init__(self, factory: Any, info: Any) -> None:
        super().__init__(factory, info)
        header = factory.header
        self._line = Line(header.chip, header.offset(self._number), info.name)
        self._bias = Bias.DISABLED
        self._bounce_s: float | None = None
        self._edges = "both"
        self._watching = False

    def close(self) -> None:
        """Release the line, as an input."""
        self.when_changed = None
        self._line.release()

    def output_with_state(self, state: float) -> None:
        """Become an output with this level from the first moment."""
        self._stop_watching()
        level = value(bool(state))
        self._line.configure(
            gpiod.LineSettings(direction=Direction.OUTPUT, output_value=level),
        )

    def input_with_pull(self, pull: str) -> None:
        """Become an input with this pull from the first moment."""
        if pull not in _PULLS:
            raise gpiozero.PinInvalidPull(f"invalid pull {pull!r} for pin {self!r}")
        if self.info.pull not in ("", pull):
            raise gpiozero.PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        self._bias = _PULLS[pull]
        self._set_input()

    def _get_function(self) -> str:
        return "output" if self._line.info.direction is Direction.OUTPUT else "input"

    def _set_function(self, function: str) -> None:
        if function == "output":
            self.output_with_state(0)
        elif function == "input":
            self._bias = Bias.DISABLED
            self._set_input()
        else:
            raise gpiozero.PinInvalidFunction(f"invalid function {function!r} for pin {self!r}")

    def _get_state(self) -> bool:
        return self._line.level

    def _set_state(self, state: float) -> None:
        if self.function == "input":
            raise gpiozero.PinSetInput(f"cannot set state of pin {self!r}")
        self._line.level = bool(state)

    def _get_pull(self) -> str:
        bias = self._line.info.bias
        return next((pull for pull, known in _PULLS.items() if known is bias), "floating")

    def _set_pull(self, pull: str) -> None:
        if self.function != "input":
            raise gpiozero.PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self.input_with_pull(pull)

    def _get_bounce(self) -> float | None:
        return self._bounce_s

    def _set_bounce(self, bounce_s: float | None) -> None:
        if bounce_s is not None and bounce_s < 0:
            raise gpiozero.PinInvalidBounce("bounce must be 0 or greater")
        self._bounce_s = bounce_s or None
        if self._watching:
            self._set_input()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, edges: str) -> None:
        if edges not in _EDGES:
            raise gpiozero.PinInvalidEdges(f"invalid edges {edges!r} for pin {self!r}")
        self._edges = edges
        if self._watching:
            self._set_input()

    def _enable_event_detect(self) -> None:
        if self.function != "input":
            raise gpiozero.PinEdgeDetectUnsupported(f"{self!r} is an output and has no edges")
        self._watching = True
        self._set_input()
        self._factory.edges.watch(self._line.requested, self._on_edge)

    def _disable_event_detect(self) -> None:
        if self._watching:
            self._stop_watching()
            self._set_input()

    def _stop_watching(self) -> None:
        if self._watching:
            self._factory.edges.forget(self._line.requested)
        self._watching = False

    def _set_input(self) -> None:
        watching = self._watching
        debounce_s = self._bounce_s or 0 if watching else 0
        self._line.configure(
            gpiod.LineSettings(
                direction=Direction.INPUT,
                bias=self._bias,
                edge_detection=_EDGES[self._edges] if watching else Edge.NONE,
                debounce_period=timedelta(seconds=debounce_s),
            )
        )

    def _on_edge(self, event: gpiod.EdgeEvent) -> None:
        # The kernel's timestamps use the clock of the factory's ticks. The callback may have been
        # removed since the edge was read.
        if self.when_changed is not None:
            rose = event.event_type is gpiod.EdgeEvent.Type.RISING_EDGE
            self._call_when_changed(event.timestamp_ns / 1e9, int(rose))
