from pathlib import Path

import pytest

from bigred_server.demo.request_log import (
    Counts,
    RequestKind,
    RequestSample,
    counts,
    failures,
    latency,
    read,
    within,
    write,
)


def sample(
    start_s: float = 1.0,
    latency_ms: float = 5.0,
    kind: RequestKind = RequestKind.GET,
    error: str | None = None,
) -> RequestSample:
    return RequestSample(start_s, latency_ms, error is None, kind, error or "200")


def test_values_round_trip(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    written = [
        sample(start_s=12.345, latency_ms=1.25),
        sample(kind=RequestKind.POST, error="ReadError: the connection was closed"),
        sample(kind=RequestKind.SLOW, error=""),
    ]
    write(file, written)
    assert read(file) == written


def test_a_failure_of_several_lines_stays_one_line(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    write(file, [sample(error="first\nsecond\r\n third")])
    assert [one.outcome for one in read(file)] == ["first second third"]


def test_a_foreign_line_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "samples"
    file.write_text("1.0 2.0 1 dance 200\n")
    with pytest.raises(ValueError, match="dance"):
        read(file)


def test_a_span_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    all_samples = [sample(start_s=start_s) for start_s in (0.9, 1.0, 1.5, 2.0)]
    assert [one.start_s for one in within(all_samples, 1.0, 2.0)] == [1.0, 1.5]


def test_percentiles_are_values_that_were_seen() -> None:
    hundred = [sample(latency_ms=float(value)) for value in range(100, 0, -1)]
    assert latency(hundred) == {"p50": 50.0, "p99": 99.0, "max": 100.0}
    assert latency([sample(latency_ms=7.0)]) == {"p50": 7.0, "p99": 7.0, "max": 7.0}


def test_slow_and_failed_requests_have_no_part_in_latency() -> None:
    some = [
        sample(latency_ms=3.0),
        sample(latency_ms=4000.0, kind=RequestKind.SLOW),
        sample(latency_ms=0.1, error="ConnectError: refused"),
    ]
    assert latency(some) == {"p50": 3.0, "p99": 3.0, "max": 3.0}
    assert latency(some[1:]) is None


def test_slow_and_failed_requests_count() -> None:
    some = [
        sample(),
        sample(kind=RequestKind.SLOW),
        sample(kind=RequestKind.SLOW, error="ReadTimeout:"),
    ]
    assert counts(some) == Counts(requests=3, failed=1)
    assert counts([]) == Counts(requests=0, failed=0)


def test_failures_come_in_the_order_they_were_sent() -> None:
    late, early = sample(start_s=9.0, error="late"), sample(start_s=2.0, error="early")
    assert failures([late, sample(), early]) == [early, late]
