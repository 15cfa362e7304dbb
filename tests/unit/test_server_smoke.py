"""Smoke tests: what they may demand of an answer, and what they say about a wrong one."""

import pytest
from pydantic import ValidationError

from bigred_server.settings import AdmissionSettings
from bigred_server.settings.admission import SmokeSettings
from bigred_server.tomcat.smoke import SmokeAnswer, complaint

PAGE = SmokeAnswer(
    200,
    {"content-type": "text/html;charset=UTF-8"},
    "<h1>The shop</h1>\n<p>Sorry, an internal error occurred.</p>",
)
JSON = SmokeAnswer(
    200,
    {"content-type": "application/json"},
    '{"status": "UP", "db": {"pools": [{"size": 3}], "ok": true, "lag": null}, "a/b": 1}',
)


def says(seen: SmokeAnswer, **wanted: object) -> str:
    return complaint(SmokeSettings.model_validate({"path": "/", **wanted}), seen)


def test_a_path_alone_demands_a_status_below_400() -> None:
    (test,) = AdmissionSettings.model_validate({"smoke": ["/shop/"]}).smoke_tests
    assert test == SmokeSettings(path="/shop/")
    assert [complaint(test, SmokeAnswer(code, {}, "")) for code in (200, 302, 399)] == [""] * 3
    assert complaint(test, SmokeAnswer(404, {}, "")) == "status 404"


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": 200},
        {"status": [200, 302]},
        {"text": "The shop"},
        {"without": "Exception"},
        {"headers": {"Content-Type": "text/html"}},
    ],
)
def test_a_page_that_is_as_it_should_be_passes(wanted: dict[str, object]) -> None:
    assert says(PAGE, **wanted) == ""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"status": 204}, "wanted status 204, seen 200"),
        ({"status": [204, 302]}, "wanted status 204 or 302, seen 200"),
        ({"text": "Pay now"}, "wanted the text 'Pay now', seen: '<h1>The shop</h1> <p>Sorry, an"),
        ({"without": "internal error"}, "found the text 'internal error': "),
        ({"headers": {"X-Cache": "hit"}}, "wanted 'hit' in the header X-Cache, it is missing"),
        (
            {"headers": {"Content-Type": "json"}},
            "wanted 'json' in the header Content-Type, it is 'text/html;charset=UTF-8'",
        ),
        ({"values": {"/status": "UP"}}, "wanted JSON, seen: '<h1>"),
    ],
)
def test_a_page_that_answers_200_and_is_wrong_is_caught(
    wanted: dict[str, object], found: str
) -> None:
    assert says(PAGE, **wanted).startswith(found)


@pytest.mark.parametrize(
    "wanted",
    [
        {"/status": "UP"},
        {"/db/pools/0/size": 3},
        {"/db/ok": True, "/status": "UP"},
        {"/a~1b": 1},
        {"/a~1b": 1.0},
    ],
)
def test_values_in_json_are_compared(wanted: dict[str, object]) -> None:
    assert says(JSON, values=wanted) == ""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"/status": "DOWN"}, 'wanted "DOWN" at /status of the JSON, seen \'"UP"\''),
        ({"/none": 1}, "wanted 1 at /none of the JSON, there is none"),
        ({"/db/pools/1/size": 3}, "wanted 3 at /db/pools/1/size of the JSON, there is none"),
        ({"/db/pools/-1/size": 3}, "wanted 3 at /db/pools/-1/size of the JSON, there is none"),
        ({"/status/x": 3}, "wanted 3 at /status/x of the JSON, there is none"),
        ({"/a~1b": True}, "wanted true at /a~1b of the JSON, seen '1'"),
        ({"/db/ok": 1}, "wanted 1 at /db/ok of the JSON, seen 'true'"),
        ({"/db/lag": ""}, "wanted \"\" at /db/lag of the JSON, seen 'null'"),
        ({"": "UP"}, 'wanted "UP" at the top of the JSON, seen '),
    ],
)
def test_a_wrong_value_in_json_is_named(wanted: dict[str, object], found: str) -> None:
    assert says(JSON, values=wanted).startswith(found)


def test_json_that_never_ends_its_brackets_is_no_json() -> None:
    deep = SmokeAnswer(200, {}, "[" * 100_000)
    assert says(deep, values={"/a": 1}).startswith("wanted JSON, seen: '[[[")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"path": "shop"}, "path"),
        ({"status": 20}, "status"),
        ({"values": {"status": "UP"}}, "'status' is not a JSON Pointer; write '/status'"),
        ({"text": 3}, "text"),
        ({"txet": "x"}, "txet"),
        ({"limit_s": 0}, "limit_s"),
    ],
)
def test_a_smoke_test_that_makes_no_sense_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AdmissionSettings.model_validate({"expect": {"pay": {"path": "/", **wrong}}})


def test_paths_alone_come_first_then_the_tables_in_their_order() -> None:
    given = {"smoke": ["/a", "/b"], "expect": {"z": {"path": "/c"}, "y": {"path": "/d"}}}
    tests = AdmissionSettings.model_validate(given).smoke_tests
    assert [test.path for test in tests] == ["/a", "/b", "/c", "/d"]
