"""What to subscribe to, and how. Plain values."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Subscription:
    """A topic filter; `retained`: whether to receive what is retained there.

    Messages with QoS 0 need no acknowledgement. A broker that is busy with thousands of clients
    reads few of ours, and drops what waits for them. So QoS 1 is for what must not be lost.
    """

    topic: str
    qos: int = 1
    retained: bool = True
