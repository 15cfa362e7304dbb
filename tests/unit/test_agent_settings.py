"""The example shows every key with its default, and invalid files are reported by line."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bigred_agent.flags import Flags, applied
from bigred_agent.lights.patterns import Colour, Pattern
from bigred_agent.settings import AgentSettings, example
from bigred_broker.config import ConfigError, parse

UNSET = re.compile(r"^#(?=[\[a-z])", re.MULTILINE)


def test_the_example_holds_the_defaults() -> None:
    assert parse(example(), AgentSettings, "example.toml") == AgentSettings()


def test_the_example_holds_every_key_of_every_section() -> None:
    every_key_set = UNSET.sub("", example())
    assert _missing(AgentSettings, tomllib.loads(every_key_set), "") == []


def test_the_keys_that_are_not_set_in_the_example_can_be_set() -> None:
    text = UNSET.sub("", example()).replace('kind = "dream-cheeky"', 'kind = "simulated"')
    settings = parse(text, AgentSettings, "example.toml")
    assert settings.button.socket == Path("/run/bigred/button.sock")
    assert settings.broker.tls is not None
    assert settings.lights.all_patterns[Pattern.ARMED] == ((Colour.RED, 0.25), (Colour.OFF, 0.1))


def _missing(model: type[BaseModel], data: object, where: str) -> list[str]:
    assert isinstance(data, dict)
    missing = []
    for name, info in model.model_fields.items():
        place = f"{where}{name}"
        if name not in data:
            missing.append(place)
            continue
        for inner in (info.annotation, *getattr(info.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                missing += _missing(inner, data[name], f"{place}.")
    return missing


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[box]\nnaem = 'x'", "agent.toml:2: unknown key 'box.naem'; did you mean 'name'?"),
        ("[box]\nname = 'Red Box'", "agent.toml:2: box.name:"),
        ("[voice]\n\npack = 'pirate'", "agent.toml:3: voice.pack: no phrase pack 'pirate'"),
        ("[voice]\nvoice = '; rm -rf /'", "agent.toml:2: voice.voice:"),
        ("[lights]\nbar_pins = [17]", "used twice: [17]"),
        ("[lights]\nrgb_pins = [1, 2, 99]", "agent.toml:2: lights.rgb_pins"),
        (
            "[lights.patterns]\narmed = [['green', 0.8], ['off', 0.8]]",
            "armed and deploying have the same rhythm",
        ),
        ("[lights.patterns]\nparty = [['red', 1]]", "agent.toml:2: lights.patterns.party"),
        ("[button]\nkeyboard = true", 'require kind = "simulated"'),
        ("[button]\npoll_ms = 1", "agent.toml:2: button.poll_ms"),
    ],
)
def test_an_invalid_file_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, AgentSettings, "agent.toml")
    assert sentence in str(caught.value)


def test_flags_override_the_file() -> None:
    flags = Flags("red", "pi.local:1884", Path("/tmp/b"), muted=True, log_style="json")  # noqa: S108
    settings = applied(AgentSettings(), flags)
    assert settings.box.name == "red"
    assert (settings.broker.host, settings.broker.port) == ("pi.local", 1884)
    assert (settings.button.kind, settings.button.socket) == ("simulated", Path("/tmp/b"))  # noqa: S108
    assert settings.voice.muted
    assert settings.log.style == "json"


def test_without_flags_nothing_changes_and_a_bare_host_keeps_the_port() -> None:
    assert applied(AgentSettings(), Flags()) == AgentSettings()
    assert applied(AgentSettings(), Flags(broker="pi")).broker.port == 1883


@pytest.mark.parametrize(
    "flags", [Flags(name="Red Box"), Flags(broker="pi:x"), Flags(broker="pi:99999")]
)
def test_an_invalid_flag_is_a_config_error(flags: Flags) -> None:
    with pytest.raises(ConfigError):
        applied(AgentSettings(), flags)
