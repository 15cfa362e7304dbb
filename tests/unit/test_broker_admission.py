"""One source that sends too many messages takes nothing from the others."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_broker.admission import Admission, Bucket, Limits
from bigred_broker.intake import FilterIntake
from bigred_broker.topics import Topics
from bigred_server.mqtt_gateway.box_intake import UNKNOWN, BoxIntake

TOPICS = Topics()


@dataclass
class Traffic:
    """Messages of some sources, by a clock that the test advances."""

    now_s: float = 100.0
    floods: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = Admission(
            lambda topic: topic,
            self.floods.append,
            lambda _: Limits(10, 20, 80),
            lambda: self.now_s,
        )

    def sends(self, source: str, count: int, every_s: float = 0.0) -> int:
        """Send messages; return how many were passed on."""
        passed = 0
        for _ in range(count):
            passed += self.admission.admits(source)
            self.now_s += every_s
        return passed


def test_a_source_that_keeps_to_its_limits_loses_nothing() -> None:
    traffic = Traffic()
    assert traffic.sends("red", 19) == 19
    assert traffic.sends("red", 1000, every_s=0.101) == 1000
    assert traffic.admission.take_dropped() == {}


def test_what_is_too_much_is_dropped_and_counted_once() -> None:
    traffic = Traffic()
    assert traffic.sends("red", 50) == 20
    assert traffic.admission.take_dropped() == {"red": 30}
    assert traffic.admission.take_dropped() == {}
    assert traffic.floods == []


def test_a_flood_is_reported_once_and_nothing_of_it_passes_until_it_is_readmitted() -> None:
    traffic = Traffic()
    passed = traffic.sends("red", 5000, every_s=0.0002)
    assert passed <= 20 + 10
    assert traffic.floods == ["red"]
    assert traffic.sends("red", 10, every_s=1.0) == 0
    traffic.admission.readmit("red")
    assert traffic.sends("red", 10, every_s=1.0) == 10


def test_a_flood_takes_nothing_from_another_source() -> None:
    traffic = Traffic()
    passed = 0
    for _ in range(100):
        traffic.sends("red", 500)
        passed += traffic.sends("blue", 1, every_s=0.1)
    assert passed == 100
    assert traffic.floods == ["red"]


@given(st.floats(0.1, 1000), st.floats(1, 100), st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(
    per_s: float, burst: float, pauses_s: list[float]
) -> None:
    bucket, now_s, given_out = Bucket(per_s, burst), 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        given_out += bucket.take(now_s)
    assert given_out <= burst + per_s * now_s + 1e-6


def test_a_bucket_says_when_the_next_one_may_go() -> None:
    bucket = Bucket(per_s=10.0, burst=2.0)
    waits = [bucket.reserve_s(5.0) for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.0, 0.1, 0.2])


# --- whose messages they are ---------------------------------------------------------------------


def intake() -> BoxIntake:
    others = (TOPICS.server_status, TOPICS.server_get)
    return BoxIntake(TOPICS, {"blue": 1, "red": 1}, others, lambda _source: None)


@pytest.mark.parametrize(
    ("topic", "source"),
    [
        ("bigred/box/red/event", "red"),
        ("bigred/box/red/set/say", "red"),
        ("bigred/box/x-1/event", UNKNOWN),
        ("bigred/box/x-2/info", UNKNOWN),
        ("bigred/server/get", "bigred/server/get"),
        ("bigred/box/RED/event", UNKNOWN),
        ("bigred/box//event", UNKNOWN),
        ("bigred/app/shop/state", "bigred/app/shop/state"),
    ],
)
def test_the_sources_are_the_known_boxes_all_unknown_ones_and_every_other_topic(
    topic: str, source: str
) -> None:
    assert intake().source_of(topic) == source


def test_a_million_unknown_boxes_are_one_source() -> None:
    admission = Admission(intake().source_of, limits_of=intake().limits_of)
    passed = sum(admission.admits(f"bigred/box/x-{number}/event") for number in range(10_000))
    assert passed < 100
    assert list(admission.take_dropped()) == [UNKNOWN]


def subscribed(*muted: str) -> list[str]:
    return [one.topic for one in intake().without(frozenset(muted))]


def test_while_a_box_is_muted_each_other_one_has_a_subscription() -> None:
    every = ["bigred/box/+/event", "bigred/box/+/info", "bigred/box/+/status"]
    server = ["bigred/server/status", "bigred/server/get"]
    assert subscribed() == [*every, *server]
    assert subscribed("red") == ["bigred/box/blue/+", *server]
    assert subscribed(UNKNOWN) == ["bigred/box/blue/+", "bigred/box/red/+", *server]
    assert subscribed("bigred/server/get") == [*every, server[0]]


@pytest.mark.parametrize("muted", [frozenset[str](), frozenset({"red"})])
def test_no_event_is_lost_and_no_box_sends_all_that_it_retains(muted: frozenset[str]) -> None:
    boxes = [one for one in intake().without(muted) if "/box/" in one.topic]
    assert not any(one.retained for one in boxes)
    assert all(one.qos == 1 for one in boxes if one.topic.endswith(("event", "+")))


def test_every_subscription_is_given_up_that_an_earlier_session_may_have() -> None:
    known = set(intake().alternatives())
    assert {*subscribed(), *subscribed("red"), *subscribed(UNKNOWN), "bigred/box/+/+"} <= known


def test_a_subscription_that_floods_is_given_up() -> None:
    filters = FilterIntake(["bigred/box/red/set/+", "bigred/app/+/state"])
    assert filters.source_of("bigred/box/red/set/say") == "bigred/box/red/set/+"
    assert filters.source_of("bigred/box/red/info") == "bigred/box/red/info"
    [left] = filters.without(frozenset({"bigred/box/red/set/+"}))
    assert left.topic == "bigred/app/+/state"
