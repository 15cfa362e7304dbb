"""The announcement of a box to Home Assistant is valid and stable, and can fire nothing."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from bigred_broker.homeassistant import BIRTH_TOPIC, discovery, discovery_topic, is_birth
from bigred_broker.messages import (
    MAX_BYTES,
    AppState,
    BoxEvent,
    BoxInfo,
    BoxState,
    EventType,
    Lid,
    Message,
    MessageError,
    Phase,
    SetIdentify,
    decode,
)
from bigred_broker.topics import Topics

INFO = BoxInfo(agent="1.2.3", model='Raspberry Pi "4" Modèl B')
ids = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


def announced(*apps: str, topics: Topics | None = None) -> dict[str, Any]:
    _, payload = discovery(topics or Topics(), "red", apps, INFO)
    result: dict[str, Any] = json.loads(payload)
    return result


def paths(template: str) -> Iterator[list[str]]:
    for found in re.findall(r"value_json\.([a-z_.]+)", template):
        yield found.split(".")


def reaches(model: type[BaseModel], path: list[str]) -> bool:
    for name in path:
        field = model.model_fields.get(name)
        if field is None:
            return False
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return True


def test_a_box_is_announced_with_all_mandatory_fields() -> None:
    topic, payload = discovery(Topics(), "red", ["shop"], INFO)
    result = json.loads(payload)
    assert topic == discovery_topic(Topics(), "red") == "homeassistant/device/red/config"
    assert result["dev"] == {
        "ids": ["bigred_red"],
        "name": "Bigred red",
        "mdl": INFO.model,
        "sw": "1.2.3",
    }
    assert result["o"]["name"] == "Bigred"
    assert all({"platform", "unique_id"} <= set(part) for part in result["cmps"].values())


def test_everything_of_a_box_is_unavailable_when_the_box_is_offline() -> None:
    result = announced()
    assert result["availability_topic"] == "bigred/box/red/status"
    assert (result["payload_available"], result["payload_not_available"]) == ("online", "offline")
    assert not any("availability_topic" in part for part in result["cmps"].values())


def test_an_app_is_unavailable_when_the_server_is_offline() -> None:
    parts = announced("shop")["cmps"]
    assert {parts[key]["availability_topic"] for key in ("shop_phase", "shop_version")} == {
        "bigred/server/status"
    }


def test_every_event_of_the_button_is_declared_and_only_its_type_is_published() -> None:
    event = announced()["cmps"]["event"]
    assert event["platform"] == "event"
    assert event["state_topic"] == "bigred/box/red/event"
    assert event["event_types"] == [kind.value for kind in EventType]
    assert "arming" not in event["value_template"]
    rendered = event["value_template"].replace("{{ value_json.event_type }}", "press")
    assert json.loads(rendered) == {"event_type": "press"}


def test_the_lid_is_open_closed_or_unknown() -> None:
    lid = announced()["cmps"]["lid"]
    assert (lid["platform"], lid["device_class"]) == ("binary_sensor", "opening")
    assert (lid["payload_on"], lid["payload_off"]) == (Lid.OPEN.value, Lid.CLOSED.value)
    assert "'None' if value_json.lid == 'unknown'" in lid["value_template"]


def test_a_lost_button_is_a_lost_connection() -> None:
    button = announced()["cmps"]["button"]
    assert (button["platform"], button["device_class"]) == ("binary_sensor", "connectivity")


def test_the_options_are_the_existing_phases() -> None:
    phase = announced("shop")["cmps"]["shop_phase"]
    assert (phase["platform"], phase["device_class"]) == ("sensor", "enum")
    assert phase["options"] == [one.value for one in Phase]
    assert phase["state_topic"] == "bigred/app/shop/state"


def test_home_assistant_can_only_make_the_box_identify_itself() -> None:
    result = announced("shop", "blog")
    commands = {
        key: part for key, part in result["cmps"].items() if any("command" in name for name in part)
    }
    assert list(commands) == ["identify"]
    assert commands["identify"]["command_topic"] == "bigred/box/red/set/identify"
    payload = commands["identify"]["payload_press"].encode()
    assert decode(SetIdentify, payload) == SetIdentify()
    assert {part["platform"] for part in result["cmps"].values()} == {
        "event",
        "binary_sensor",
        "button",
        "sensor",
    }


@given(ids, st.lists(ids, max_size=8, unique=True), st.sampled_from(["bigred", "Lab_1-x"]))
def test_ids_are_valid_for_home_assistant_and_unique(
    box: str, apps: list[str], prefix: str
) -> None:
    topic, payload = discovery(Topics(prefix), box, apps, INFO)
    result = json.loads(payload)
    unique = [part["unique_id"] for part in result["cmps"].values()]
    assert len(set(unique)) == len(unique) == 4 + 2 * len(apps)
    for name in (*unique, *result["cmps"], *result["dev"]["ids"], topic.split("/")[2]):
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", name)
    assert len(payload) <= MAX_BYTES


def test_every_key_in_a_template_exists_in_its_message() -> None:
    kinds: dict[str, type[Message]] = {
        "bigred/box/red/state": BoxState,
        "bigred/box/red/event": BoxEvent,
        "bigred/app/shop/state": AppState,
    }
    read = 0
    for part in announced("shop")["cmps"].values():
        for path in paths(part.get("value_template", "")):
            assert reaches(kinds[part["state_topic"]], path), path
            read += 1
    assert read >= 6


def test_a_template_checks_for_optional_keys() -> None:
    parts = announced("shop")["cmps"]
    assert "default('None')" in parts["shop_phase"]["value_template"]
    assert "value_json.live is defined" in parts["shop_version"]["value_template"]


def test_the_same_box_gives_the_same_bytes() -> None:
    apps = ["shop", "blog", "api"]
    given_orders = {
        discovery(Topics(), "red", order, INFO) for order in itertools.permutations(apps)
    }
    assert len(given_orders) == 1


def test_a_box_of_another_prefix_is_another_device() -> None:
    other = announced("shop", topics=Topics("lab"))
    ours = announced("shop")
    assert other["dev"]["ids"] != ours["dev"]["ids"]
    assert "bigred/" not in json.dumps(other)


def test_an_invalid_name_is_refused() -> None:
    for box, app in (("Red", "shop"), ("red", "a/b"), ("a/b", "shop"), ("red", "")):
        with pytest.raises(ValueError, match="is not a valid id"):
            discovery(Topics(), box, [app], INFO)


def test_ten_apps_fit_and_more_than_fit_are_refused() -> None:
    discovery(Topics(), "r" * 32, [f"{i:032}" for i in range(10)], INFO)
    with pytest.raises(MessageError, match="100 apps"):
        discovery(Topics(), "red", [f"app-{i}" for i in range(100)], INFO)


def test_home_assistants_birth_is_told_apart_from_its_death() -> None:
    assert BIRTH_TOPIC == "homeassistant/status"
    assert is_birth(BIRTH_TOPIC, b"online")
    assert not is_birth(BIRTH_TOPIC, b"offline")
    assert not is_birth("bigred/server/status", b"online")
