"""What the judge's verdict means for a deployment that moves forward. Pure."""

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Inconclusive, Mode
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.rollback import begin_rollback
from bigred_server.rollout.core.view import View

_AGAINST = (Verdict.HOLD, Verdict.ROLLBACK)
# Before the first judgement there is no evidence for the release either.
_NO_JUDGEMENT = Judgement(Verdict.INCONCLUSIVE)
_RANKS = {each: number for number, each in enumerate(Verdict)}


def objected(view: View) -> Decision | None:
    """Hold or roll back if the judge's verdict is against the release."""
    judged = _judgement(view)
    if judged is None or judged.verdict not in _AGAINST or _is_tolerated(view, judged.verdict):
        return None
    rolls_back = view.policy.judge.mode is Mode.ROLLBACK
    reason = sentences.of_release(view.deployment, judged.reason)
    if rolls_back and (judged.verdict is Verdict.ROLLBACK or _lasts_too_long(view, judged)):
        return begin_rollback(view, reason, blames_build=True)
    if view.record.phase is Phase.HOLDING:
        return None
    return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.SUSPICION)


def is_over(view: View) -> bool:
    """Return whether the judge's reason for the hold is gone."""
    judged = _judgement(view)
    match view.record.held_for:
        case HeldFor.SUSPICION:
            return judged is None or judged.verdict not in _AGAINST
        case HeldFor.DOUBT:
            return judged is None or judged.verdict is Verdict.PASS
        case _:
            return False


def is_cleared(view: View) -> bool:
    """Return whether the judge has enough evidence for more nodes to follow."""
    judged = _judgement(view)
    if judged is None or judged.verdict is Verdict.PASS or _is_tolerated(view, judged.verdict):
        return True
    return view.policy.judge.inconclusive is Inconclusive.PASS and judged.verdict not in _AGAINST


def doubted(view: View, extra_s: float) -> Decision | None:
    """Hold and ask people, or keep observing (None).

    `extra_s`: how long the release has been observed beyond its bake time.
    """
    policy = view.policy.judge
    if policy.inconclusive is not Inconclusive.ASK and extra_s < policy.extend_s:
        return None
    judged = view.judgement or _NO_JUDGEMENT
    reason = sentences.seen_too_little(judged.requests, policy.min_requests)
    return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.DOUBT)


def tolerated(view: View) -> Verdict | None:
    """Return the verdict that a person accepts by continuing a deployment on hold."""
    judged = _judgement(view)
    is_overruled = view.record.held_for in (HeldFor.SUSPICION, HeldFor.DOUBT)
    return judged.verdict if judged and is_overruled else None


def _judgement(view: View) -> Judgement | None:
    """Return the judgement; None in a repair, and if the judge only watches or is off."""
    counts = view.policy.judge.mode.actions and view.record.mends is None
    return (view.judgement or _NO_JUDGEMENT) if counts else None


def _is_tolerated(view: View, verdict: Verdict) -> bool:
    accepted = view.record.tolerates
    return accepted is not None and _RANKS[verdict] <= _RANKS[accepted]


def _lasts_too_long(view: View, judged: Judgement) -> bool:
    if view.record.held_for is not HeldFor.SUSPICION or judged.cause is not Cause.BUILD:
        return False
    return view.now_s - view.phase_since_s > view.policy.judge.hold_s
