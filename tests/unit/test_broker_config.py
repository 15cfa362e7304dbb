"""Errors in a configuration file are reported with their line and the nearest key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from bigred_broker import config
from bigred_broker.config import ConfigError
from bigred_broker.settings import BrokerSettings, Section


class HAProxy(Section):
    socket: str
    backend: str = "be"


class Node(Section):
    name: str
    port: int = 8080


class Stage(Section):
    command: str
    limit_s: float = 60.0
    nodes: Sequence[Node] = ()


class App(Section):
    context: str = "/"
    haproxy: HAProxy | None = None
    nodes: tuple[Node, ...] = ()
    stages: Mapping[str, Stage] = Field(default_factory=dict)


class Config(Section):
    broker: BrokerSettings = BrokerSettings()
    apps: dict[str, App] = Field(default_factory=dict)
    optional: dict[str, Annotated[HAProxy, Field(description="with a note")]] | None = None
    stages: list[Stage] = Field(default_factory=list)
    mode: Literal["watch", "hold"] = "watch"
    from_: str = Field("", alias="from")


def findings(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, Config, "x.toml")
    return str(caught.value).splitlines()


def test_a_good_file_gives_the_model(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('from = "here"\n[broker]\nport = 1884\n[apps.shop.haproxy]\nsocket = "/s"\n')
    loaded = config.load(path, Config)
    assert loaded.broker.port == 1884
    assert loaded.from_ == "here"
    assert loaded.apps["shop"].haproxy == HAProxy(socket="/s")


def test_an_empty_file_is_all_defaults() -> None:
    assert config.parse("", Config, "x.toml") == Config()


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b'\xef\xbb\xbfmode = "hold"\r\n')
    assert config.load(path, Config).mode == "hold"


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("mod = 1", "x.toml:1: unknown key 'mod'; did you mean 'mode'?"),
        ("form = 1", "x.toml:1: unknown key 'form'; did you mean 'from'?"),
        ("zzz = 1", "x.toml:1: unknown key 'zzz'"),
        ("[brokr]\nport = 1", "x.toml:1: unknown key 'brokr'; did you mean 'broker'?"),
        (
            "\n# a comment\n[broker]\nhost = 'a'\n\nprot = 1",
            "x.toml:6: unknown key 'broker.prot'; did you mean 'port'?",
        ),
        (
            "broker.prot = 1",
            "x.toml:1: unknown key 'broker.prot'; did you mean 'port'?",
        ),
        (
            "mode = 'hold'\nbroker = { prot = 1 }",
            "x.toml:2: unknown key 'broker.prot'; did you mean 'port'?",
        ),
        (
            "[broker.tls]\nca = 'c'\ncertificat = 'c'",
            "x.toml:3: unknown key 'broker.tls.certificat'; did you mean 'certificate'?",
        ),
        (
            "[apps.shop]\n[apps.shop.haproxy]\nsocket = 's'\nbakend = 'b'",
            "x.toml:4: unknown key 'apps.shop.haproxy.bakend'; did you mean 'backend'?",
        ),
        (
            "[apps.shop.haprox]\nsocket = 's'",
            "x.toml:1: unknown key 'apps.shop.haprox'; did you mean 'haproxy'?",
        ),
        (
            "[apps.'my shop']\ncontex = '/'",
            "x.toml:2: unknown key 'apps.my shop.contex'; did you mean 'context'?",
        ),
        (
            '[apps."shop.eu"]  # quoted\ncontex = "/"',
            "x.toml:2: unknown key 'apps.shop.eu.contex'; did you mean 'context'?",
        ),
        (
            "[[apps.shop.nodes]]\nname = 'a'\n[[apps.shop.nodes]]\nname = 'b'\nprt = 1",
            "x.toml:5: unknown key 'apps.shop.nodes.1.prt'; did you mean 'port'?",
        ),
        (
            "[apps.shop.stages.unit]\ncomand = 'x'\ncommand = 'y'",
            "x.toml:2: unknown key 'apps.shop.stages.unit.comand'; did you mean 'command'?",
        ),
        (
            "[optional.a]\nsocket = 's'\nbackendd = 'b'",
            "x.toml:3: unknown key 'optional.a.backendd'; did you mean 'backend'?",
        ),
        (
            "[[stages]]\ncommand='a'\n[[stages]]\ncommand='b'\n"
            "[[stages.nodes]]\nname='n'\n[[stages.nodes]]\nname='m'\nnam='m'",
            "x.toml:9: unknown key 'stages.1.nodes.1.nam'; did you mean 'name'?",
        ),
        (
            "[[stages]]\ncommand = '''\nmod = 1\n[broker]\n'''\nlimit = 1",
            "x.toml:6: unknown key 'stages.0.limit'; did you mean 'limit_s'?",
        ),
    ],
)
def test_an_unknown_key_is_reported_with_its_line_and_the_nearest_key(
    text: str, finding: str
) -> None:
    assert findings(text) == [finding]


def test_a_wrong_type_is_reported_with_its_line() -> None:
    [finding] = findings("mode = 'hold'\n[broker]\nport = 'high'")
    assert finding.startswith("x.toml:3: broker.port: ")


def test_an_invalid_choice_is_reported_with_those_allowed() -> None:
    [finding] = findings("mode = 'stop'")
    assert finding.startswith("x.toml:1: mode: ")
    assert "'watch'" in finding
    assert "'hold'" in finding


def test_a_missing_key_is_reported_with_the_line_of_its_table() -> None:
    assert findings("mode = 'hold'\n\n[apps.shop.haproxy]\nbackend = 'b'") == [
        "x.toml:3: the key 'apps.shop.haproxy.socket' is missing"
    ]


def test_a_missing_key_of_an_inline_table_is_reported_with_its_line() -> None:
    assert findings("[apps.shop]\nhaproxy = { backend = 'b' }") == [
        "x.toml:2: the key 'apps.shop.haproxy.socket' is missing"
    ]


def test_every_error_is_reported_not_only_the_first() -> None:
    found = findings("mod = 1\n[broker]\nport = 0\n[[stages]]\n")
    assert [finding.split(": ")[0] for finding in found] == ["x.toml:3", "x.toml:4", "x.toml:1"]


@pytest.mark.parametrize("text", ["mode =", "[broker", "a = 1\na = 2", "x = [" * 5000])
def test_invalid_toml_is_a_config_error(text: str) -> None:
    assert findings(text)[0].startswith("x.toml: not valid TOML: ")


def test_an_unreadable_file_is_a_config_error(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'mode = "\xe4"')
    for path in (tmp_path / "none.toml", tmp_path, latin, Path("a\x00b")):
        with pytest.raises(ConfigError, match="can't be read"):
            config.load(path, Config)


def test_an_empty_host_is_refused() -> None:
    assert findings("[broker]\nhost = ''")[0].startswith("x.toml:2: broker.host: ")


@given(st.text())
def test_any_text_gives_a_model_or_a_config_error(text: str) -> None:
    try:
        config.parse(text, Config, "x.toml")
    except ConfigError:
        return
    except BaseException as error:
        raise AssertionError(text) from error


@given(st.text(alphabet="[]{}=.\"'\n# ab1"), st.lists(st.text() | st.integers()))
def test_a_line_is_found_for_any_text_and_place(text: str, where: list[int | str]) -> None:
    assert config.line_of(text, tuple(where)) >= 1
