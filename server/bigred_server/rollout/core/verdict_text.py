"""The judge's word on its way to the journal, the wire and people. Pure."""

import math
from dataclasses import asdict, fields
from typing import Any  # the journal keeps JSON

from bigred_broker.messages import JudgementNote
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Mode
from bigred_server.model.verdict import Verdict

# JSON knows no infinity, and nobody needs to be surer than this.
_MOST = 1e12
_TEXT = 500

_WOULD = {Verdict.HOLD: "would have held", Verdict.ROLLBACK: "would have taken it back"}


def to_json(judgement: Judgement) -> dict[str, Any]:
    """Give a judgement as JSON."""
    return {name: _bounded(value) for name, value in asdict(judgement).items()}


def from_json(kept: dict[str, Any]) -> Judgement:
    """Read what `to_json` gave; what another version of Bigred added or lacks does no harm."""
    names = {one.name for one in fields(Judgement)}
    told = {name: value for name, value in kept.items() if name in names}
    told |= {"verdict": Verdict(kept["verdict"]), "cause": Cause(kept.get("cause", Cause.NONE))}
    return Judgement(**told | {"guards": tuple(kept.get("guards", ()))})


def note(judgement: Judgement) -> JudgementNote:
    """Give a judgement as subscribers get it."""
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


def seen(note: JudgementNote) -> str:
    """Say what the judge says, and the numbers that it goes by."""
    against = f"evidence {number(note.evidence)} beside the old one"
    if note.absolute > 1:
        against += f", {number(note.absolute)} against all being well"
    return (
        f"judge: {note.verdict}: {note.failed} of {note.requests} requests failed on the new "
        f"release, {note.failed_old} of {note.requests_old} on the old one; {against}"
    )


def told(judgement: Judgement, mode: Mode) -> str:
    """Say it with its reason; a judge that only watches says what it would have done."""
    text = seen(note(judgement))
    if judgement.reason and judgement.verdict in _WOULD:
        text += f"; it {judgement.reason}"
    would = _WOULD.get(judgement.verdict) if mode is Mode.WATCH else None
    return f"{text}; it only watches, and {would}" if would else text


def caught(judgement: Judgement) -> str:
    """Say how small a regression would have been noticed."""
    parts = []
    if judgement.smallest is not None:
        parts.append(f"a build that fails {share(judgement.smallest)} of requests")
    if judgement.smallest_slow is not None:
        parts.append(f"one that is slow on {share(judgement.smallest_slow)} of them")
    if not parts:
        return "too little was seen for any regression to be noticed surely"
    return f"it would have caught {' and '.join(parts)}, 19 times of 20"


def number(evidence: float) -> str:
    """Write an e-value as people read it."""
    if evidence >= _MOST:
        return "beyond measure"
    return f"{evidence:.2g}" if evidence < 10 else f"{evidence:,.0f}"


def share(part: float) -> str:
    """Write a share as a percentage that is never rounded down to nothing."""
    return f"{math.ceil(part * 1000) / 10:g} %"


def _bounded(value: Any) -> Any:
    match value:
        case float():
            return min(value, _MOST)
        case dict():
            return {name: _bounded(one) for name, one in value.items()}
        case _:
            return value
