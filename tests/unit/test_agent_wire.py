"""Deliveries to a box are decoded, or counted and logged once."""

from collections.abc import Callable

import pytest

from bigred_agent import about
from bigred_agent.machine.events import AppRemoved, AppUpdate, ServerStatus
from bigred_agent.wire import Decoder, intake
from bigred_broker.connection import Delivery
from bigred_broker.messages import (
    Answer,
    AppState,
    Phase,
    Reply,
    SetConfig,
    SetIdentify,
    SetLight,
    SetSay,
    Status,
    encode,
)
from bigred_broker.topics import Topics

TOPICS = Topics()


@pytest.fixture
def decode() -> Callable[..., object]:
    decoder = Decoder(TOPICS, "red")

    def receive(topic: str, payload: bytes, *, retained: bool = False) -> object:
        meaning = decoder.decode(Delivery(topic, payload, retained, lambda: None))
        return meaning if meaning is not None else decoder.faults.total

    return receive


def test_a_box_subscribes_to_its_own_topics_the_server_and_the_states_of_all_apps() -> None:
    assert intake(TOPICS, "red").subscriptions == (
        "bigred/box/red/reply",
        "bigred/box/red/set/+",
        "bigred/server/status",
        "bigred/server/beacon",
        "bigred/app/+/state",
    )


@pytest.mark.parametrize(
    ("topic", "payload", "meaning"),
    [
        ("bigred/server/status", b"online", ServerStatus(Status.ONLINE)),
        ("bigred/box/red/set/say", b'{"text": "hi"}', SetSay(text="hi")),
        ("bigred/box/red/set/light", b'{"pattern": "armed"}', SetLight(pattern="armed")),
        ("bigred/box/red/set/identify", b"", SetIdentify()),
        ("bigred/box/red/set/config", b'{"muted": true}', SetConfig(muted=True)),
        (
            "bigred/box/red/reply",
            b'{"id": "e1", "answer": "refused"}',
            Reply(id="e1", answer=Answer.REFUSED),
        ),
    ],
)
def test_a_delivery_for_the_box_is_decoded(
    decode: Callable[..., object], topic: str, payload: bytes, meaning: object
) -> None:
    assert decode(topic, payload) == meaning


@pytest.mark.parametrize("retained", [False, True])
def test_the_state_of_an_app_comes_with_its_retain_flag(
    decode: Callable[..., object], retained: bool
) -> None:
    state = AppState(app="shop", phase=Phase.ROLLING)
    heard = decode("bigred/app/shop/state", encode(state), retained=retained)
    assert heard == AppUpdate(state, retained)


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("bigred/server/status", b"perhaps"),
        ("bigred/box/red/set/say", b"hi"),
        ("bigred/box/red/set/say", b'{"text": 7}'),
        ("bigred/box/red/set/fire", b"{}"),
        ("bigred/box/blue/reply", b'{"id": "e1", "answer": "refused"}'),
        ("bigred/app/shop/state", b'{"app": "web"}'),
        ("bigred/app/shop/state", b"{" * 20_000),
        ("elsewhere/box/red/reply", b'{"id": "e1", "answer": "refused"}'),
    ],
)
def test_a_malformed_delivery_is_counted(
    decode: Callable[..., object], topic: str, payload: bytes
) -> None:
    assert decode(topic, payload) == 1


def test_a_retained_command_or_answer_is_refused(decode: Callable[..., object]) -> None:
    assert decode("bigred/box/red/set/say", b'{"text": "hi"}', retained=True) == 1


def test_an_empty_state_removes_the_app(decode: Callable[..., object]) -> None:
    assert decode("bigred/app/shop/state", b"") == AppRemoved("shop")


def test_a_box_describes_itself() -> None:
    info = about.info("simulated button", "en", ("lid", "voice"))
    assert info.agent
    assert info.model
    assert info.capabilities == ("lid", "voice")
