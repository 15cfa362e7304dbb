"""Who sends what the server receives, and how much of it is too much."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bigred_broker.admission import Limits
from bigred_broker.subscription import Subscription
from bigred_broker.topics import Topics

UNKNOWN = "unknown boxes"
"""The source of everything that boxes without a section in the configuration send."""

# More than a box sends when it starts or counts down; a few unknown ones are still told why nothing
# happens.
_BOX = Limits(per_s=50.0, burst=100.0)
# When the broker comes back, each of them sends some messages at once.
_UNKNOWN = Limits(per_s=10.0, burst=40.0, flood=3000.0)


@dataclass(frozen=True)
class BoxIntake:
    """Each known box is a source, all unknown ones are one, and so is each other topic.

    `others`: the topics to subscribe to besides those of boxes. `on_flood` is called with a
    source that is muted for a while. See `bigred_broker.intake.Intake`.
    """

    topics: Topics
    boxes: Collection[str]
    others: Sequence[str]
    on_flood: Callable[[str], None]

    def source_of(self, topic: str) -> str:
        """Return the name of a known box, UNKNOWN, or a topic that the server reads by its name."""
        if not topic.startswith(f"{self.topics.prefix}/box/"):
            return topic
        match self.topics.parse(topic):
            case ("box", box, *_):
                return self.source_of_box(box)
        return UNKNOWN

    def source_of_box(self, box: str) -> str:
        """Return the name of a known box, or UNKNOWN."""
        return box if box in self.boxes else UNKNOWN

    def limits_of(self, source: str) -> Limits:
        """See Intake."""
        return _UNKNOWN if source == UNKNOWN else _BOX

    def without(self, muted: frozenset[str]) -> Sequence[Subscription]:
        """Return what the server reads of all boxes or, while one is muted, all of each other box.

        Only an event must not be lost. What is retained of thousands of boxes would not arrive; see
        `mqtt_gateway.census`.
        """
        others = [Subscription(topic) for topic in self.others if topic not in muted]
        if UNKNOWN not in muted and muted.isdisjoint(self.boxes):
            return [*self._of_all, *others]
        known = (self.topics.all_of_box(box) for box in sorted(self.boxes) if box not in muted)
        return [*(Subscription(topic, retained=False) for topic in known), *others]

    def alternatives(self) -> Sequence[str]:
        """See Intake."""
        known = [self.topics.all_of_box(box) for box in sorted(self.boxes)]
        of_all = [one.topic for one in self._of_all]
        # The last one is that of an earlier version, whose session may be there.
        return [*of_all, *known, *self.others, self.topics.every_box]

    @property
    def _of_all(self) -> Sequence[Subscription]:
        of_every_box = self.topics.of_every_box
        return [
            Subscription(of_every_box("event"), retained=False),
            Subscription(of_every_box("info"), qos=0, retained=False),
            Subscription(of_every_box("status"), qos=0, retained=False),
        ]

    def flooded(self, source: str) -> None:
        """See Intake."""
        self.on_flood(source)
