"""What a link subscribes to, and what counts as one source there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from paho.mqtt.client import topic_matches_sub

from bigred_broker.admission import Limits
from bigred_broker.subscription import Subscription


class Intake(Protocol):
    """The sources of what a link receives. Sources must be of a bounded number."""

    def source_of(self, topic: str) -> str:
        """Return the source of a message, for a topic of our own the topic itself.

        Called on the network thread.
        """

    def limits_of(self, source: str) -> Limits:
        """Return how many messages of a source are passed on. Called on the network thread."""

    def without(self, muted: frozenset[str]) -> Sequence[Subscription]:
        """Return subscriptions that bring everything but the messages of muted sources."""

    def alternatives(self) -> Sequence[str]:
        """Return the topic of every subscription that `without` may return."""

    def flooded(self, source: str) -> None:
        """Handle that a source sent too many messages and is muted for a while."""


@dataclass(frozen=True)
class FilterIntake:
    """Each subscription is a source, which is cancelled while it floods."""

    subscriptions: Sequence[str]
    limits: Mapping[str, Limits] = field(default_factory=dict)
    on_flood: Callable[[str], None] = lambda _source: None

    def source_of(self, topic: str) -> str:
        """See Intake."""
        matching = (one for one in self.subscriptions if topic_matches_sub(one, topic))
        return next(matching, topic)

    def limits_of(self, source: str) -> Limits:
        """See Intake."""
        return self.limits.get(source, Limits())

    def without(self, muted: frozenset[str]) -> Sequence[Subscription]:
        """See Intake."""
        return [Subscription(one) for one in self.subscriptions if one not in muted]

    def alternatives(self) -> Sequence[str]:
        """See Intake."""
        return self.subscriptions

    def flooded(self, source: str) -> None:
        """See Intake."""
        self.on_flood(source)
