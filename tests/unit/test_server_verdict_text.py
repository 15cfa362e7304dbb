"""The verdict as the journal keeps it, and as people read it."""

import json
import math

import pytest

from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Mode
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core import verdict_text

SAID = Judgement(
    Verdict.ROLLBACK,
    Cause.BUILD,
    "failed 11 of 60 requests on node1",
    relative=1234.5,
    absolute=math.inf,
    series={"orders": math.inf},
    guards=("node1 is hot",),
    requests=60,
    failed=11,
    requests_old=180,
    smallest=0.0712,
)


def test_a_judgement_survives_json_except_infinity() -> None:
    kept = json.loads(json.dumps(verdict_text.to_json(SAID), allow_nan=False))
    found = verdict_text.from_json(kept)
    assert (found.verdict, found.cause, found.guards) == (SAID.verdict, SAID.cause, SAID.guards)
    assert (found.relative, found.absolute, found.series) == (1234.5, 1e12, {"orders": 1e12})


def test_a_judgement_of_another_version_is_read_as_far_as_it_is_known() -> None:
    found = verdict_text.from_json({"verdict": "pass", "mood": "good"})
    assert found == Judgement(Verdict.PASS)


def test_subscribers_get_the_numbers() -> None:
    note = verdict_text.note(SAID)
    assert (note.verdict, note.evidence, note.absolute) == ("rollback", 1234.5, 1e12)
    assert (note.requests, note.failed, note.requests_old, note.failed_old) == (60, 11, 180, 0)


def test_people_read_the_evidence_and_its_strength() -> None:
    assert verdict_text.full_text(SAID, Mode.ROLLBACK) == (
        "judge: rollback: 11 of 60 requests failed on the new release, 0 of 180 on the old one; "
        "relative evidence 1,234, absolute evidence beyond measure; it failed 11 of 60 requests on "
        "node1"
    )


@pytest.mark.parametrize(
    ("verdict", "end"),
    [
        (Verdict.ROLLBACK, "; the judge only watches, but would have rolled it back"),
        (Verdict.HOLD, "; the judge only watches, but would have held it"),
        (Verdict.PASS, "relative evidence 1"),
        (Verdict.INCONCLUSIVE, "relative evidence 1"),
    ],
)
def test_a_judge_that_only_watches_says_what_it_would_have_done(verdict: Verdict, end: str) -> None:
    assert verdict_text.full_text(Judgement(verdict), Mode.WATCH).endswith(end)


def test_the_detectable_regression_is_never_rounded_down() -> None:
    assert verdict_text.detectable(SAID) == (
        "it would have caught a build that fails 7.2 % of requests, 19 times out of 20"
    )
    assert "too little traffic" in verdict_text.detectable(Judgement(Verdict.INCONCLUSIVE))
