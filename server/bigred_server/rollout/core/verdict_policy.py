"""What the judge's word means for a deployment that goes forward. Pure."""

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Inconclusive, Mode
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.rollback import turn_back
from bigred_server.rollout.core.view import View

_AGAINST = (Verdict.HOLD, Verdict.ROLLBACK)
# Before the first look has ended, nothing speaks for the release either.
_NOTHING_YET = Judgement(Verdict.INCONCLUSIVE)
_RANKS = {each: number for number, each in enumerate(Verdict)}


def objected(view: View) -> Decision | None:
    """Hold, or turn back, when the judge speaks against the release."""
    said = _said(view)
    if said is None or said.verdict not in _AGAINST or _is_tolerated(view, said.verdict):
        return None
    goes_back = view.policy.judge.mode is Mode.ROLLBACK
    reason = sentences.of_release(view.deployment, said.reason)
    if goes_back and (said.verdict is Verdict.ROLLBACK or _stands_too_long(view, said)):
        return turn_back(view, reason, blames_build=True)
    if view.record.phase is Phase.HOLDING:
        return None
    return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.SUSPICION)


def is_over(view: View) -> bool:
    """Say whether the judge no longer has what it held the deployment for."""
    said = _said(view)
    match view.record.held_for:
        case HeldFor.SUSPICION:
            return said is None or said.verdict not in _AGAINST
        case HeldFor.DOUBT:
            return said is None or said.verdict is Verdict.PASS
        case _:
            return False


def is_cleared(view: View) -> bool:
    """Say whether the judge has seen enough of the release for more nodes to follow."""
    said = _said(view)
    if said is None or said.verdict is Verdict.PASS or _is_tolerated(view, said.verdict):
        return True
    return view.policy.judge.inconclusive is Inconclusive.PASS and said.verdict not in _AGAINST


def doubted(view: View, looked_s: float) -> Decision | None:
    """Hold and ask, or look on (None); `looked_s`: for how long, beyond what the bake asks for."""
    policy = view.policy.judge
    if policy.inconclusive is not Inconclusive.ASK and looked_s < policy.extend_s:
        return None
    said = view.judgement or _NOTHING_YET
    reason = sentences.seen_too_little(said.requests, policy.min_requests)
    return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.DOUBT)


def tolerated(view: View) -> Verdict | None:
    """Name the verdict that a person bears with who lets a held deployment go on."""
    said = _said(view)
    is_overruled = view.record.held_for in (HeldFor.SUSPICION, HeldFor.DOUBT)
    return said.verdict if said and is_overruled else None


def _said(view: View) -> Judgement | None:
    """Give the judge's word where it counts: not in a mend, and not where it only watches."""
    is_heard = view.policy.judge.mode.actions and view.record.mends is None
    return (view.judgement or _NOTHING_YET) if is_heard else None


def _is_tolerated(view: View, verdict: Verdict) -> bool:
    borne = view.record.tolerates
    return borne is not None and _RANKS[verdict] <= _RANKS[borne]


def _stands_too_long(view: View, said: Judgement) -> bool:
    if view.record.held_for is not HeldFor.SUSPICION or said.cause is not Cause.BUILD:
        return False
    return view.now_s - view.phase_since_s > view.policy.judge.hold_s
