"""Topics are built from checked ids, and parsed the same way."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_broker.topics import Topics, is_id

IDS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
BAD_IDS = ["", "Red", "a/b", "+", "#", "a b", "a\n", "a" * 33, "røed", "a_b", "$sys", "a\x00"]


@pytest.mark.parametrize("name", BAD_IDS)
def test_an_invalid_id_is_refused_everywhere(name: str) -> None:
    topics = Topics()
    assert not is_id(name)
    makers: list[Callable[[str], str]] = [
        lambda box: topics.box(box, "event"),
        lambda box: topics.set(box, "say"),
        lambda app: topics.app(app, "state"),
        topics.every_set,
    ]
    for make in makers:
        with pytest.raises(ValueError, match="is not a valid id"):
            make(name)


@given(IDS, IDS)
def test_a_built_topic_is_parsed_again(box: str, app: str) -> None:
    topics = Topics()
    assert topics.parse(topics.box(box, "event")) == ("box", box, "event")
    assert topics.parse(topics.set(box, "say")) == ("box", box, "set", "say")
    assert topics.parse(topics.app(app, "state")) == ("app", app, "state")
    assert topics.parse(topics.server_status) == ("server", "status")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "bigred",
        "bigred/box",
        "bigred/box/red",
        "bigred/box/RED/event",
        "bigred/app//state",
        "bigred/box/red/set/say/loud",
        "other/box/red/event",
        "xbigred/box/red/event",
        "/bigred/box/red/event",
        "homeassistant/status",
    ],
)
def test_a_foreign_topic_is_not_parsed(topic: str) -> None:
    assert Topics().parse(topic) is None


@given(st.text())
def test_no_topic_breaks_the_parser(topic: str) -> None:
    Topics().parse(topic)
    Topics().parse(f"bigred/{topic}")
    Topics().parse(f"bigred/box/{topic}")


def test_another_prefix_moves_every_topic() -> None:
    topics = Topics("lab")
    assert topics.box("red", "status") == "lab/box/red/status"
    assert topics.set("red", "say") == "lab/box/red/set/say"
    assert topics.app("shop", "event") == "lab/app/shop/event"
    assert topics.server_status == "lab/server/status"
    assert topics.every_box == "lab/box/+/+"
    assert topics.every_app == "lab/app/+/+"
    assert topics.every_set("red") == "lab/box/red/set/+"
    assert topics.parse("bigred/box/red/event") is None
