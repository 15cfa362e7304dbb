"""The bench of rolling deployments: which sites and ways, what is wanted, and the table."""

import pytest
from tests.bench.roll import cases, expected_s, main, parse
from tests.support.machine import described
from tests.support.roll_cases import RollCase, Way
from tests.support.roll_table import RollRow, RollRun, line, table

from bigred_server.rollout.core.target import Strategy

FOUR = RollCase(Strategy.RESTART, 4)
EIGHT = RollCase(Strategy.RESTART, 8)


def run(way: Way, seconds: float, failed: int = 0, case: RollCase = FOUR) -> RollRun:
    return RollRun(case, way, seconds, requests=100, failed=failed, longest_s=seconds / 10)


def rows(*runs: RollRun) -> dict[Way, RollRow]:
    return {row.way: row for row in table(runs)}


def test_the_factor_compares_the_medians() -> None:
    hand = [run(Way.BY_HAND, seconds) for seconds in (8.0, 10.0, 30.0)]
    ours = [run(Way.BIGRED, seconds) for seconds in (11.0, 13.0, 20.0)]
    row = rows(*hand, *ours)[Way.BIGRED]
    assert (row.median_s, row.factor, row.requests) == (13.0, 1.3, 300)


@pytest.mark.parametrize(
    ("way", "seconds", "missed"),
    [
        (Way.BIGRED, 13.5, False),
        (Way.BIGRED, 13.6, True),
        (Way.BIGRED_COLD, 12.0, False),
        (Way.BIGRED_COLD, 12.1, True),
        (Way.ANSIBLE, 90.0, False),
    ],
)
def test_a_factor_that_is_too_high_is_a_fault(way: Way, seconds: float, missed: bool) -> None:
    assert bool(rows(run(Way.BY_HAND, 10.0), run(way, seconds))[way].faults()) is missed


def test_a_wanted_factor_is_missed_without_its_peer() -> None:
    row = rows(run(Way.BIGRED, 1.0))[Way.BIGRED]
    assert row.factor is None
    assert row.faults() == ["wanted at most 1.35 x by hand"]


def test_two_at_a_time_are_the_peer_where_our_default_takes_two() -> None:
    assert Way.BY_HAND_TWO not in FOUR.ways()
    assert Way.BY_HAND_TWO in EIGHT.ways()
    found = rows(
        run(Way.BY_HAND, 16.0, case=EIGHT),
        run(Way.BY_HAND_TWO, 10.0, case=EIGHT),
        run(Way.BIGRED_COLD, 13.0, case=EIGHT),
    )
    assert found[Way.BIGRED_COLD].faults() == ["wanted at most 1.2 x by hand, two at a time"]


def test_with_the_manager_the_seconds_of_four_nodes_count() -> None:
    case = RollCase(Strategy.REDEPLOY, 4)
    found = rows(run(Way.PUT, 0.1, 3, case), run(Way.BIGRED_COLD, 1.1, case=case))
    assert found[Way.BIGRED_COLD].faults() == ["wanted at most 1 s"]
    assert found[Way.PUT].faults() == []


def test_a_failed_request_is_a_fault_of_ours_alone() -> None:
    found = rows(run(Way.BY_HAND, 10.0, failed=2), run(Way.BIGRED, 10.0, failed=1))
    assert found[Way.BIGRED].faults() == ["wanted no failed request"]
    assert found[Way.BY_HAND].faults() == []


def test_a_line_has_median_and_spread_and_what_is_missed() -> None:
    found = rows(run(Way.BY_HAND, 2.0), *(run(Way.BIGRED, at) for at in (3.0, 4.0, 9.0)))
    assert line(found[Way.BIGRED]).split() == [
        *(
            "Bigred,",
            "200",
            "warm-up",
            "requests",
            "4.00",
            "3.00",
            "9.00",
            "2.00",
            "300",
            "0",
            "0.90",
        ),
        *("wanted", "at", "most", "1.35", "x", "by", "hand"),
    ]


def test_sites_are_chosen_by_their_names() -> None:
    assert len(cases(parse([]))) == 12
    only = cases(parse(["--only", "restart, 4 nodes, fast", "--nodes", "4,8"]))
    assert only == [FOUR]


def test_all_of_it_takes_less_than_an_hour() -> None:
    options = parse([])
    assert 30 < expected_s(options, list(Way)) / 60 < options.minutes == 60


def test_peers_that_are_not_asked_for_or_not_there_take_no_time() -> None:
    everybody = expected_s(parse([]), list(Way))
    assert expected_s(parse([]), [Way.BY_HAND]) < everybody
    assert expected_s(parse(["--peers", "hand"]), list(Way)) < everybody


@pytest.mark.parametrize(
    "words", [["--peers", "hnad"], ["--peers", "hand,cfengine"], ["--nodes", "4,"]]
)
def test_what_is_not_known_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)


def test_a_name_that_no_site_has_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "reboot", "--nodes", "2"]) == 2
    assert "restart, 2 nodes, fast requests" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["1", "2,17", "", "two"])
def test_other_numbers_of_nodes_are_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        parse(["--nodes", text])


def test_the_machine_is_named_in_a_line() -> None:
    found = {"cores": "2", "memory": "8 GiB", "kernel": "6.1", "HAProxy": "2.6.12"}
    assert described(found) == "2 cores, 8 GiB, kernel 6.1, HAProxy 2.6.12"
