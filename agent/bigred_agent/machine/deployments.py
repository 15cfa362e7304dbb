"""What is heard of the apps: news is spoken once, old news not at all.

A state that only repeats what is known (a reconnect, a server that started again) says nothing; one
seen for the first time says nothing either, unless it is about a press of ours.
"""

from dataclasses import replace

from bigred_agent.machine import light
from bigred_agent.machine.deeds import Deed, Deeds, Say
from bigred_agent.machine.happenings import AppIs
from bigred_agent.machine.state import Known, News, Policy, State
from bigred_agent.phrases.phrase import Changes, Phrase, Value
from bigred_agent.phrases.spoken import release_values
from bigred_broker.messages import AppState, Phase

Outcome = tuple[State, Deeds]

# PREPARING is silent: whoever pressed has just heard that it was accepted.
_PHASES = {
    Phase.CANARY: Phrase.CANARY,
    Phase.ROLLING: Phrase.ROLLING,
    Phase.BAKING: Phrase.BAKING,
    Phase.HOLDING: Phrase.HOLDING,
    Phase.ROLLING_BACK: Phrase.ROLLING_BACK,
    Phase.SUCCEEDED: Phrase.SUCCEEDED,
    Phase.ROLLED_BACK: Phrase.ROLLED_BACK,
    Phase.ABORTED: Phrase.ABORTED,
    Phase.FAILED: Phrase.FAILED,
}
_WITH_REASON = {
    Phase.HOLDING,
    Phase.ROLLING_BACK,
    Phase.ROLLED_BACK,
    Phase.ABORTED,
    Phase.FAILED,
}
_WITH_RELEASE = {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.FAILED}
_NODES = "nodes"
_COUNTING = {Phase.CANARY, Phase.ROLLING, Phase.BAKING}


def handle(state: State, news: AppIs, now_s: float, policy: Policy) -> Outcome:
    """Take in where an app stands."""
    app = news.app
    known = state.apps.get(app.app)
    before = known.state if known else None
    same = before is not None and before.deployment == app.deployment
    ours = _is_ours(state, news, same=same)
    live = before is not None and not news.retained
    told_done = known.told_done if known and same else 0

    deeds: list[Deed] = []
    if ours or same or live:
        deeds += _progress(app, told_done)
    moved = not same or before is None or before.phase is not app.phase
    worth_telling = ours or _is_followed(before, same) or (live and not same)
    if app.phase is not None and moved and worth_telling:
        deeds += _phase(app, app.phase, expected=ours or same)
        state = _show(state, app.phase, now_s, policy)
    if live and _new_candidate(before, app):
        deeds.append(_candidate(app))

    state = _no_longer_awaited(state, app)
    done = app.progress.done if app.progress else 0
    apps = {**state.apps, app.app: Known(app, max(told_done, done))}
    return replace(state, apps=apps), tuple(deeds)


def forget(state: State, app: str) -> State:
    """Take in that an app is no more."""
    return replace(state, apps={name: known for name, known in state.apps.items() if name != app})


def _is_ours(state: State, news: AppIs, *, same: bool) -> bool:
    """Whether it tells of a press of this box, be it that its answer is still on the way."""
    if state.accepted is not None and state.accepted.deployment == news.app.deployment:
        return True
    fired = state.waiting.arming if state.waiting else None
    if fired is None or fired.app != news.app.app:
        return False
    return not same and not news.retained and news.app.deployment is not None


def _no_longer_awaited(state: State, app: AppState) -> State:
    if state.accepted is not None and state.accepted.deployment == app.deployment:
        state = replace(state, accepted=None)
    counted = state.countdown is not None and state.countdown.deployment == app.deployment
    if counted and app.phase is not None and app.phase.is_outcome:
        state = replace(state, countdown=None)
    return state


def _is_followed(before: AppState | None, same: bool) -> bool:
    return same and before is not None and before.phase is not None and not before.phase.is_outcome


def _phase(app: AppState, phase: Phase, *, expected: bool) -> list[Deed]:
    values: dict[str, Value] = release_values(app.app, app.release)
    values.pop("author")
    deeds: list[Deed] = []
    if not expected and not phase.is_outcome:
        # Somebody else's: another box, a terminal. Everybody is to know.
        deeds.append(Say(Phrase.STARTED, values))
    phrase = _PHASES.get(phase)
    if phrase is None:
        return deeds
    filled: dict[str, Value] = dict(values) if phase in _WITH_RELEASE else {}
    if phase in _WITH_REASON:
        filled["reason"] = app.reason
    return [*deeds, Say(phrase, filled)]


def _show(state: State, phase: Phase, now_s: float, policy: Policy) -> State:
    pattern = light.outcome(phase)
    if pattern is None:
        return replace(state, news=None)
    return replace(state, news=News(pattern, now_s + policy.outcome_light_s))


def _progress(app: AppState, told_done: int) -> list[Deed]:
    if app.progress is None or app.phase not in _COUNTING or app.progress.done <= told_done:
        return []
    if app.progress.unit != _NODES:
        # A hundred percent spoken one by one: the lights show it.
        return []
    return [Say(Phrase.PROGRESS, {"done": app.progress.done, "total": app.progress.total})]


def _new_candidate(before: AppState | None, app: AppState) -> bool:
    if app.candidate is None:
        return False
    was = before.candidate if before else None
    return was is None or was.digest != app.candidate.digest


def _candidate(app: AppState) -> Say:
    values = release_values(app.app, app.candidate)
    values.pop("author")
    if app.candidate is None or not app.candidate.changed:
        return Say(Phrase.CANDIDATE, values)
    authors = dict.fromkeys(one.author for one in app.candidate.changes if one.author)
    values["changes"] = Changes(app.candidate.changed, tuple(authors))
    return Say(Phrase.CANDIDATE_CHANGES, values)
