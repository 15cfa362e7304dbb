"""How trials are drawn, and how their requests and presses are judged."""

from tests.support.strikes import Blow, Strike, Target, draw
from tests.support.trial import Push, Trial, requests, table

from bigred_server.demo.request_log import RequestKind, RequestSample
from bigred_server.demo.sample import BuildKind

NODES = ("node1", "node2", "node3")


def sample(start_s: float, *, ok: bool = True, latency_ms: float = 10.0) -> RequestSample:
    return RequestSample(start_s, latency_ms, ok, RequestKind.GET, "200" if ok else "no answer")


def trial(target: Target, in_flight: int = 0) -> Trial:
    strike = Strike(1, target, Blow.FREEZE, 0.5, 5.0, "node1", BuildKind.GOOD, stops=False)
    return Trial(strike, 100.0, 130.0, 110.0, 115.0, in_flight=in_flight, outcome="succeeded")


def test_a_seed_always_draws_the_same_strike_and_others_draw_others() -> None:
    drawn = [draw(seed, Target.SERVER, Blow.FREEZE, NODES) for seed in range(500)]
    assert drawn == [draw(seed, Target.SERVER, Blow.FREEZE, NODES) for seed in range(500)]
    assert len({one.at for one in drawn}) == len(drawn)
    assert {one.node for one in drawn} == set(NODES)
    lengths = [one.length_s for one in drawn]
    assert 1.0 <= min(lengths) < 1.2
    assert 50 < max(lengths) <= 60.0
    assert {one.stops for one in drawn} == {True, False}
    assert all(draw(seed, Target.BOX, Blow.KILL, NODES).length_s <= 3.0 for seed in range(500))


def test_only_what_was_in_flight_in_the_struck_process_is_unavoidable() -> None:
    samples = [sample(100 + number) for number in range(30)]
    samples += [
        sample(99.0, ok=False),  # before the trial
        sample(109.0, ok=False, latency_ms=2000),  # in flight when it was stopped
        sample(112.0, ok=False),  # sent while it was stopped
        sample(120.0, ok=False),  # afterwards
    ]
    counted = requests(trial(Target.HAPROXY), samples)
    assert (counted.sent, counted.failed, counted.unavoidable, counted.lost) == (33, 3, 2, 1)
    assert requests(trial(Target.TOMCAT, in_flight=2), samples).lost == 1
    assert requests(trial(Target.TOMCAT, in_flight=9), samples).lost == 0
    for target in (Target.SERVER, Target.BROKER, Target.BOX):
        assert requests(trial(target), samples).lost == 3


def test_the_longest_gap_is_the_longest_time_without_a_success() -> None:
    samples = [sample(101.0), sample(102.0), sample(103.0, ok=False), sample(109.5)]
    assert round(requests(trial(Target.HAPROXY), samples).gap_s, 3) == 7.5


def test_a_press_is_late_if_it_is_accepted_after_the_answer_deadline() -> None:
    assert not Push(10.0).is_late
    assert not Push(10.0, 10.5, "accepted", (), 10.4).is_late
    assert not Push(10.0, 15.0, "refused stale").is_late
    assert Push(10.0, 15.0, "accepted hold").is_late
    assert Push(10.0, None, "", (), 12.5).is_late
    assert not Push(10.0, 12.5, "accepted", (), 11.0).is_late


def test_the_table_has_a_line_for_each_process_and_signal_that_was_tried() -> None:
    late = trial(Target.SERVER)
    late.pushes = [Push(101.0, None, "", (), 110.0)]
    lines = list(table([late, trial(Target.TOMCAT)], [sample(105.0)]))
    assert [line.split()[0] for line in lines] == ["process", "server", "tomcat"]
    assert lines[1].split() == (
        ["server", "SIGSTOP", "1", "1", "1", "0", "0", "0", "0.00", "s", "1", "0", "1", "succeeded"]
    )
