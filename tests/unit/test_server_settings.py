"""The example is the schema: complete, with the defaults; errors in files name the line."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bigred_broker.config import ConfigError, parse
from bigred_server.judge.policy import GuardPolicy, JudgePolicy
from bigred_server.rollout.core.policy import Policy
from bigred_server.settings import (
    DeadlineSettings,
    MarkerSettings,
    Settings,
    example,
    load,
)
from bigred_server.settings.judge import GuardSettings, JudgeSettings

UNSET = re.compile(r"^#(?=[\[a-z])", re.MULTILINE)
EVERY_KEY_SET = UNSET.sub("", example())


def pairs(
    model: type[BaseModel], data: object, where: str = ""
) -> Iterator[tuple[str, FieldInfo, object]]:
    """Walk a model and a file's values for it: yield each key, its field, its value or None."""
    assert isinstance(data, dict)
    for name, info in model.model_fields.items():
        place = f"{where}{name}"
        yield place, info, data.get(name)
        below = data.get(name, {})
        for inner in models(info.annotation):
            if str(info.annotation).startswith("dict"):
                for key, value in below.items():
                    if is_of(inner, value):
                        yield from pairs(inner, value, f"{place}.{key}.")
            else:
                yield from pairs(inner, below, f"{place}.")


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """List the models in an annotation, however they are wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


def is_of(model: type[BaseModel], value: object) -> bool:
    """Return whether a table belongs to this of the two kinds of app."""
    if "driver" not in model.model_fields or not isinstance(value, dict):
        return True
    return value.get("driver", "tomcat") in get_args(model.model_fields["driver"].annotation)


def test_the_example_holds_every_key_of_every_section() -> None:
    found = list(pairs(Settings, tomllib.loads(EVERY_KEY_SET)))
    # Each node shows the keys of its reach: a key must appear in one of them.
    places = [(re.sub(r"\.node[0-9]\.", ".node.", place), value) for place, _, value in found]
    shown = {place for place, value in places if value is not None}
    assert {place for place, _ in places} - shown == set()
    assert len(found) > 50


def test_what_the_example_shows_as_the_default_is_the_default() -> None:
    shown = dict(re.findall(r"^#([a-z_]+) = (.+)$", example(), re.MULTILINE))
    # There is no default to show: the value there is an example.
    examples = {"min_healthy", "batch", "server", "ca", "certificate", "key", "url"}
    examples |= {
        "webhook_secret_file",
        "job",
        "driver",
        "urls_file",
        "workspaces",
        "inherit",
        "command",
        "reach",
        "releases",
        "context",
        "kept",
        "before",
        "after",
        "on_failure",
        "tomcat_home",
        "status",
        "text",
        "without",
        "headers",
        "values",
    }
    for place, info, value in pairs(Settings, tomllib.loads(EVERY_KEY_SET)):
        name = place.rpartition(".")[2]
        if name in shown and name not in examples and value is not None and not info.is_required():
            default = info.get_default()
            given = list(default) if isinstance(default, tuple) else default
            assert value == (str(given) if isinstance(given, Path) else given), place


def test_what_the_example_does_not_comment_out_has_no_default_or_comes_with_the_reach() -> None:
    by_reach = {"reach", "war", "stop", "start", "running", "sha256", "user", "password_file"}
    for place, info, value in pairs(Settings, tomllib.loads(example())):
        name = place.rpartition(".")[2]
        if value is not None and not isinstance(value, dict):
            assert re.search(rf"^{name} = ", example(), re.MULTILINE), place
            assert info.is_required() or name in by_reach, place


def test_the_example_can_be_used_with_and_without_what_it_comments_out() -> None:
    assert parse(example(), Settings, "example.toml").fleets["shop"].nodes
    whole = parse(EVERY_KEY_SET, Settings, "example.toml")
    assert whole.broker.tls is not None
    assert whole.fleets["shop"].server_of("node1") == "node1"


def test_the_policy_of_the_example_is_the_default_policy() -> None:
    app = parse(example(), Settings, "example.toml").fleets["shop"]
    assert app.policy() == Policy(min_healthy=len(app.nodes) - 1)


def test_every_time_of_the_policy_can_be_set() -> None:
    of_app = {"min_healthy", "batch", "canary", "headroom", "sessions", "sessions_shared", "hooks"}
    of_app.add("judge")
    bakes = {"canary_bake_s", "batch_bake_s", "last_bake_s"}
    in_file = {*DeadlineSettings.model_fields, *of_app, *bakes}
    assert {field.name for field in fields(Policy)} == in_file


def test_every_value_of_the_judges_policy_can_be_set() -> None:
    in_file = {*JudgeSettings.model_fields} - {"probes"}
    assert {field.name for field in fields(JudgePolicy)} - {"series"} == in_file
    rails = {*GuardSettings.model_fields} - {"every_s"}
    assert {field.name for field in fields(GuardPolicy)} == rails


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"hold_at": 30.0, "rollback_at": 20.0}, "hold_at can't be greater than rollback_at"),
        ({"guards": {"hits": 5, "windows": 4}}, "hits can't be greater than windows"),
        ({"mode": "rolback"}, "'off', 'watch', 'hold' or 'rollback'"),
        ({"probes": {"paths": ["shop"]}}, "path"),
    ],
)
def test_a_contradictory_judge_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        JudgeSettings.model_validate(given)


GOOD = """\
[server]
state = "/var/lib/bigred"
[boxes.office]
app = "shop"
[apps.shop.haproxy]
socket = "/run/haproxy/admin.sock"
backend = "shop"
[apps.shop.marker]
path = "/shop/health"
[apps.shop.nodes.node1]
url = "http://127.0.0.1:8080"
war = "/srv/node1/shop.war"
stop = ["stop"]
start = ["start"]
running = ["running"]
"""


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("state =", "stat =", "s.toml:2: unknown key 'server.stat'; did you mean 'state'?"),
        ("[boxes.office]", "[boxs.office]", "unknown key 'boxs'; did you mean 'boxes'?"),
        ("backend =", "back_end =", "s.toml:7: unknown key 'apps.shop.haproxy.back_end'"),
        ("stop =", "stopp =", "'apps.shop.nodes.node1.stopp'; did you mean 'stop'?"),
        ("backend =", "#backend =", "the key 'apps.shop.haproxy.backend' is missing"),
        ('app = "shop"', 'app = "blog"', "no app 'blog'; available: shop"),
        ('"/shop/health"', '"shop/health"', "s.toml:9: apps.shop.marker.path"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "s.toml:11: apps.shop.nodes.node1.url"),
        (":8080", ":8080/shop", "s.toml:11: apps.shop.nodes.node1.url"),
        ("/srv/node1/shop.war", "shop.war", "must be an absolute path that ends in .war"),
        ("/srv/node1/shop.war", "/srv/shop", "must be an absolute path that ends in .war"),
        ('["stop"]', "[]", "s.toml:13: apps.shop.nodes.node1.stop"),
        ('["stop"]', '"stop"', "s.toml:13: apps.shop.nodes.node1.stop"),
        ("nodes.node1]", "nodes.Node_1]", "apps.shop.nodes.Node_1"),
        ("[boxes.office]", "[boxes.Office]", "boxes.Office"),
        ('"/shop/health"', '"/x"\npattern = "("', "not a valid regular expression"),
        ('"/shop/health"', '"/x"\npattern = "a"', "needs exactly one group, which"),
        ('"/shop/health"', '"/x"\nread = "heder"', "s.toml:10: apps.shop.marker.read"),
        ("[apps.shop.marker]", "[apps.shop.deadlines]\ndrain_s = -1\n[apps.shop.marker]", ":9:"),
        (
            "[apps.shop.haproxy]",
            "[apps.shop]\nmin_healthy = 1\n[apps.shop.haproxy]",
            "1 of 1 nodes leaves none that may be updated",
        ),
        (
            "[apps.shop.haproxy]",
            "[apps.shop]\nmin_healthy = 'most'\n[apps.shop.haproxy]",
            "'most' is neither a number of nodes nor a percentage",
        ),
    ],
)
def test_errors_are_reported_with_their_place_and_the_nearest_key(
    old: str, new: str, finding: str
) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(old, new, 1), Settings, "s.toml")
    assert finding in str(caught.value)


def app_with(line: str) -> str:
    without = GOOD.replace('[apps.shop.marker]\npath = "/shop/health"\n', "")
    marker = "" if "marker =" in line else 'marker = { path = "/shop/health" }'
    app = f"[apps.shop]\n{line}\n{marker}\n"
    return without.replace("[apps.shop.haproxy]", f"{app}[apps.shop.haproxy]")


@pytest.mark.parametrize(
    ("line", "context", "path"),
    [
        ('marker = "spring"', "/shop", "/shop/actuator/info"),
        ('context = "/books/desk"\nmarker = "spring"', "/books/desk", "/books/desk/actuator/info"),
        ('context = "/"\nmarker = "manifest"', "", "/"),
        ('context = ""\nmarker = "header:X-App"', "", "/"),
        ('context = "/a"\nmarker = { path = "{context}/v" }', "/a", "/a/v"),
        ('context = "/a"', "/a", "/shop/health"),
    ],
)
def test_a_marker_follows_the_context_of_its_app(line: str, context: str, path: str) -> None:
    settings = parse(app_with(line), Settings, "s.toml")
    assert settings.context_of("shop") == context
    assert settings.fleets["shop"].marker.path == path


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ('context = "shop"', "s.toml:6: apps.shop.context: 'shop' does not begin with a slash; "),
        ('context = "/ROOT"', "s.toml:6: apps.shop.context: '/ROOT' is not a path"),
        ('context = "/a/"', "s.toml:6: apps.shop.context: '/a/' ends with a slash; write '/a'"),
        ('marker = "sprin"', "s.toml:6: apps.shop.marker: no preset 'sprin'; write one of"),
        (
            'marker = { path = "health" }',
            "apps.shop.marker.path: 'health' does not begin with a slash; write '/health'",
        ),
        ('marker = { path = "http://n/health" }', "is an address; write only the path in it"),
        (
            'marker = { path = "/", read = "json", pointer = "build.version" }',
            "'build.version' is not a JSON Pointer; write '/build/version'",
        ),
        ('admission = { smoke = ["shop"] }', "'shop' does not begin with a slash; write '/shop'"),
    ],
)
def test_what_is_wrong_with_a_path_is_said_in_words(line: str, finding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(app_with(line), Settings, "s.toml")
    assert finding in str(caught.value)
    assert "pattern" not in str(caught.value)


def test_two_nodes_with_one_war_are_refused() -> None:
    second = GOOD[GOOD.index("[apps.shop.nodes.node1]") :].replace("node1]", "node2]")
    with pytest.raises(ConfigError, match="two nodes have the same war"):
        parse(GOOD + second, Settings, "s.toml")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "http://localhost:8080"),
        ("http://app1.example", "http://APP1.example.:80"),
        ("https://app1.example:443", "https://app1.example"),
    ],
)
def test_two_nodes_with_one_url_are_refused(one: str, other: str) -> None:
    first = GOOD.replace("http://127.0.0.1:8080", one)
    second = first[first.index("[apps.shop.nodes.node1]") :].replace("node1]", "node2]")
    second = second.replace(one, other).replace("/srv/node1/", "/srv/node2/")
    with pytest.raises(ConfigError, match=r"nodes\.node1 and nodes\.node2 have the same url"):
        parse(first + second, Settings, "s.toml")


@pytest.mark.parametrize("context", ["/manager", "/host-manager"])
def test_tomcats_own_apps_are_not_replaced(context: str) -> None:
    text = GOOD.replace(
        "[apps.shop.haproxy]", f'[apps.shop]\ncontext = "{context}"\n[apps.shop.haproxy]'
    )
    with pytest.raises(ConfigError, match="is Tomcat's own: a deployment would replace it"):
        parse(text, Settings, "s.toml")


def test_a_server_needs_an_app_and_an_app_a_node() -> None:
    with pytest.raises(ConfigError, match="'apps' is missing"):
        parse("[server]\nstate = '/x'", Settings, "s.toml")
    without = GOOD[: GOOD.index("[apps.shop.nodes.node1]")]
    with pytest.raises(ConfigError, match=r"'apps\.shop\.nodes' is missing"):
        parse(without, Settings, "s.toml")


def test_a_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "bigred.toml"
    path.write_text(GOOD)
    assert load(path).boxes["office"].app == "shop"
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path / "none.toml")


def test_each_default_is_stated_once() -> None:
    assert MarkerSettings(path="/x").name == "X-Release"
