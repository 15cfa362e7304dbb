"""Whether the link to the broker is up. Plain values, which need no MQTT library."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkUp:
    """The link is up: subscriptions are made, and retained messages are published."""


@dataclass(frozen=True)
class LinkDown:
    """The link is down; `reason` is a sentence."""

    reason: str
