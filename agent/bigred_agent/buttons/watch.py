"""The button's loop: blocking, in a thread of its own, for ever.

Opens the button, reads it at a steady period, hands events out, and when it is gone opens it again
with a growing pause. It must never raise into its thread and never stop before it is asked to.
"""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bigred_agent.buttons import edges
from bigred_agent.buttons.reading import Button, ButtonEvent
from bigred_agent.errors import ButtonError
from bigred_broker.messages import EventType

log = structlog.get_logger(__name__)

POLL_S = 0.015
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0
DRIVER_FAILED = "the button's driver failed; it is opened again (see the log)"

Tell = Callable[[ButtonEvent], None]


@dataclass
class Watch:
    """Watches one button and tells its events. `tell` is called on the watching thread."""

    button: Button
    tell: Tell
    timing: edges.Timing = field(default_factory=edges.Timing)
    poll_s: float = POLL_S
    _edges: edges.Edges = field(default_factory=edges.Edges)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _told: str | None = None

    def run(self) -> None:
        """Watch until `stop` is called."""
        pause_s = FIRST_PAUSE_S / 2
        while not self._stopped.is_set():
            try:
                self.button.open()
                self._read_on()
            except ButtonError as error:
                # A button that had answered is tried again soon; one that is away, less and less.
                found = self._edges != edges.Edges()
                pause_s = FIRST_PAUSE_S if found else min(pause_s * 2, LONGEST_PAUSE_S)
                self._lost(str(error))
            except Exception:
                # The thread's outermost edge: a library that fails in a way of its own must not
                # leave a box that can't feel.
                log.exception("the button's driver failed", button=self.button.name)
                self._lost(DRIVER_FAILED)
            finally:
                self.button.close()
            self._stopped.wait(pause_s)

    def stop(self) -> None:
        """Ask the loop to end; it does within a reading's time. Callable from any thread."""
        self._stopped.set()

    def _read_on(self) -> None:
        due_s = time.monotonic()
        while not self._stopped.is_set():
            reading = self.button.read()
            now_s = time.monotonic()
            if reading is not None:
                self._edges, kinds = edges.advance(self._edges, reading, now_s, self.timing)
                for kind in kinds:
                    self._event(kind, now_s)
            # A steady beat; after a slow answer the beat starts anew rather than being caught up.
            due_s = max(due_s + self.poll_s, now_s)
            self._stopped.wait(due_s - now_s)

    def _event(self, kind: EventType, at_s: float, reason: str = "") -> None:
        if kind is EventType.BUTTON_FOUND:
            self._told = None
            log.info("button found", button=self.button.name)
        self.tell(ButtonEvent(kind, uuid.uuid4().hex, at_s, self._edges.lid, reason))

    def _lost(self, reason: str) -> None:
        self._edges, kinds = edges.lost(self._edges)
        if reason != self._told:
            log.warning("button away", button=self.button.name, reason=reason)
        # A button that is missing from the start is told once, too.
        if kinds or self._told is None:
            self._event(EventType.BUTTON_LOST, time.monotonic(), reason)
        self._told = reason
