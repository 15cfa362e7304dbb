"""paho's client with a PINGREQ at any time.

paho sends one only after a silence as long as the keep-alive, and reports no answer. PINGREQ is the
one request that every broker answers to everybody: some never answer an UNSUBSCRIBE from a topic
without a subscription.
"""

from collections.abc import Callable

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode


class PingingClient(Client):
    """`on_ping_answer` is called on paho's thread for every PINGRESP; it must not raise."""

    on_ping_answer: Callable[[], None] | None = None

    def ping(self) -> MQTTErrorCode:
        """Send a PINGREQ; return whether it was passed to the network thread."""
        return self._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        handled = super()._handle_pingresp()
        if self.on_ping_answer is not None:
            self.on_ping_answer()
        return handled
