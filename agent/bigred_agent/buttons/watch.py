"""The button's loop, which blocks a thread of its own.

It opens the button, polls it at a steady rate and reports events; if the button goes away, it
reopens it after growing pauses. It must never raise, and never stop before `stop` is called.
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
from bigred_broker.button import EventType

log = structlog.get_logger(__name__)

POLL_S = 0.015
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0
GAP_S = 1.0
DRIVER_FAILED = "the button's driver failed; reopening it (see the log)"

EventHandler = Callable[[ButtonEvent], None]


@dataclass
class Watch:
    """Watches one button. Calls `on_event` on the watching thread."""

    button: Button
    on_event: EventHandler
    timing: edges.Timing = field(default_factory=edges.Timing)
    poll_s: float = POLL_S
    _edges: edges.Edges = field(default_factory=edges.Edges)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _reported: str | None = None

    def run(self) -> None:
        """Watch until `stop` is called."""
        pause_s = FIRST_PAUSE_S / 2
        while not self._stopped.is_set():
            try:
                self.button.open()
                self._read_on()
            except ButtonError as error:
                # A button that had answered is retried soon; an absent one ever less often.
                found = self._edges != edges.Edges()
                pause_s = FIRST_PAUSE_S if found else min(pause_s * 2, LONGEST_PAUSE_S)
                self._lost(str(error))
            except Exception:
                # The thread's outermost edge: an unexpected failure in a library must not leave
                # a box without its button.
                log.exception("the button's driver failed", button=self.button.name)
                self._lost(DRIVER_FAILED)
            finally:
                self.button.close()
            self._stopped.wait(pause_s)

    def stop(self) -> None:
        """Ask the loop to end, which it does after the current reading. Thread-safe."""
        self._stopped.set()

    def _read_on(self) -> None:
        due_s = before_s = time.monotonic()
        while not self._stopped.is_set():
            reading = self.button.read()
            now_s = time.monotonic()
            if reading is not None:
                self._edges, kinds = edges.advance(self._edges, reading, now_s, self.timing)
                # If nobody looked for a while, it may have happened as early as the last look.
                at_s = now_s if now_s - before_s < GAP_S else before_s
                for kind in kinds:
                    self._event(kind, at_s)
                before_s = now_s
            # A steady rate; after a slow answer it restarts instead of catching up.
            due_s = max(due_s + self.poll_s, now_s)
            self._stopped.wait(due_s - now_s)

    def _event(self, kind: EventType, at_s: float, reason: str = "") -> None:
        if kind is EventType.BUTTON_FOUND:
            self._reported = None
            log.info("button found", button=self.button.name)
        self.on_event(ButtonEvent(kind, uuid.uuid4().hex, at_s, self._edges.lid, reason))

    def _lost(self, reason: str) -> None:
        self._edges, kinds = edges.lost(self._edges)
        if reason != self._reported:
            log.warning("button lost", button=self.button.name, reason=reason)
        # A button that is missing from the start is reported once, too.
        if kinds or self._reported is None:
            self._event(EventType.BUTTON_LOST, time.monotonic(), reason)
        self._reported = reason
