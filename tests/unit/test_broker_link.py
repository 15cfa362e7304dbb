"""The delays of the link, and what it refuses without a broker."""

import itertools
import random

import pytest

from bigred_broker.connection import NotConnectedError
from bigred_broker.delays import MOST_SPREAD_S, delays, spread
from bigred_broker.link import STEADY_S, Link
from bigred_broker.messages import MAX_BYTES, MessageError
from bigred_broker.settings import BrokerSettings


def test_the_delays_double_up_to_fifteen_seconds() -> None:
    assert list(itertools.islice(delays(lambda: 1.0), 8)) == [0.5, 1, 2, 4, 8, 15, 15, 15]


def test_each_delay_is_between_half_of_it_and_all_of_it() -> None:
    least = itertools.islice(delays(lambda: 0.0), 8)
    most = itertools.islice(delays(lambda: 1.0), 8)
    for low, high in zip(least, most, strict=True):
        assert low == high / 2
    dice = random.Random(1)
    seconds = [next(delays(dice.random)) for _ in range(200)]
    assert all(0.25 <= wait <= 0.5 for wait in seconds)
    assert max(seconds) - min(seconds) > 0.2


def test_what_thousands_do_is_spread_over_the_time_that_the_server_names() -> None:
    dice = random.Random(1)
    seconds = [spread(10.0, dice.random) for _ in range(1000)]
    assert 0.0 <= min(seconds) < 0.5
    assert 9.5 < max(seconds) <= 10.0
    assert spread(0.0, lambda: 1.0) == 0.0


def test_no_server_makes_a_box_wait_for_long() -> None:
    assert spread(1e9, lambda: 1.0) == MOST_SPREAD_S


def test_a_link_is_steady_only_after_more_than_the_longest_delay() -> None:
    assert max(itertools.islice(delays(lambda: 1.0), 20)) < STEADY_S


async def test_nothing_is_sent_or_queued_without_a_broker() -> None:
    link = Link(BrokerSettings(), "red", "bigred/box/red/status", [])
    assert not link.is_up
    with pytest.raises(
        NotConnectedError, match=r"not connected to the broker at 127\.0\.0\.1:1883"
    ):
        link.publish("bigred/box/red/event", b"{}")


async def test_a_message_the_broker_would_reject_is_refused_beforehand() -> None:
    link = Link(BrokerSettings(), "red", "bigred/box/red/status", [])
    with pytest.raises(MessageError, match=f"limit of {MAX_BYTES}"):
        link.publish("bigred/box/red/event", b"x" * (MAX_BYTES + 1))
    with pytest.raises(MessageError, match=f"limit of {MAX_BYTES}"):
        link.keep("bigred/box/red/state", b"x" * (MAX_BYTES + 1))
