"""A judgement as the journal stores it, as subscribers receive it and as people read it. Pure."""

import math
from dataclasses import asdict, fields
from typing import Any  # the journal keeps JSON

from bigred_broker.messages import JudgementNote
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Mode
from bigred_server.model.verdict import Verdict

# JSON has no infinity, and nobody needs more certainty than this.
_MOST = 1e12
_TEXT = 500

_WOULD = {Verdict.HOLD: "would have held it", Verdict.ROLLBACK: "would have rolled it back"}


def to_json(judgement: Judgement) -> dict[str, Any]:
    """Return a judgement as JSON."""
    return {name: _bounded(value) for name, value in asdict(judgement).items()}


def from_json(kept: dict[str, Any]) -> Judgement:
    """Restore what `to_json` returned, also if another version of Bigred has other fields."""
    names = {one.name for one in fields(Judgement)}
    values = {name: value for name, value in kept.items() if name in names}
    values |= {"verdict": Verdict(kept["verdict"]), "cause": Cause(kept.get("cause", Cause.NONE))}
    return Judgement(**values | {"guards": tuple(kept.get("guards", ()))})


def note(judgement: Judgement) -> JudgementNote:
    """Return a judgement as subscribers receive it."""
    return JudgementNote(
        verdict=judgement.verdict,
        cause=judgement.cause,
        reason=judgement.reason[:_TEXT],
        evidence=min(judgement.relative, _MOST),
        absolute=min(judgement.absolute, _MOST),
        requests=judgement.requests,
        failed=judgement.failed,
        requests_old=judgement.requests_old,
        failed_old=judgement.failed_old,
    )


def summary(note: JudgementNote) -> str:
    """Return the verdict and the numbers behind it as a sentence."""
    evidence = f"relative evidence {number(note.evidence)}"
    if note.absolute > 1:
        evidence += f", absolute evidence {number(note.absolute)}"
    return (
        f"judge: {note.verdict}: {note.failed} of {note.requests} requests failed on the new "
        f"release, {note.failed_old} of {note.requests_old} on the old one; {evidence}"
    )


def full_text(judgement: Judgement, mode: Mode) -> str:
    """Return the summary and the reason and, if the judge only watches, what it would have done."""
    text = summary(note(judgement))
    if judgement.reason and judgement.verdict in _WOULD:
        text += f"; it {judgement.reason}"
    would = _WOULD.get(judgement.verdict) if mode is Mode.WATCH else None
    return f"{text}; the judge only watches, but {would}" if would else text


def detectable(judgement: Judgement) -> str:
    """Return how small a regression would have been detected."""
    parts = []
    if judgement.smallest is not None:
        parts.append(f"a build that fails {share(judgement.smallest)} of requests")
    if judgement.smallest_slow is not None:
        parts.append(f"one that is slow on {share(judgement.smallest_slow)} of them")
    if not parts:
        return "there was too little traffic to detect any regression reliably"
    return f"it would have caught {' and '.join(parts)}, 19 times out of 20"


def number(evidence: float) -> str:
    """Format an e-value for people."""
    if evidence >= _MOST:
        return "beyond measure"
    return f"{evidence:.2g}" if evidence < 10 else f"{evidence:,.0f}"


def share(part: float) -> str:
    """Format a share as a percentage, rounded up so that it is never 0."""
    return f"{math.ceil(part * 1000) / 10:g} %"


def _bounded(value: Any) -> Any:
    match value:
        case float():
            return min(value, _MOST)
        case dict():
            return {name: _bounded(one) for name, one in value.items()}
        case _:
            return value
