"""Announces what happens to the apps: each news once, and nothing that is old.

A state that only repeats what is known (after a reconnect or a restart of the server) is not
announced; neither is the first state of an app, unless it is about a press of this box.
"""

from dataclasses import replace

from bigred_agent.machine import light
from bigred_agent.machine.effects import Effect, Say
from bigred_agent.machine.events import AppUpdate
from bigred_agent.machine.state import Policy, RecentOutcome, State, TrackedApp
from bigred_agent.machine.transition import Transition
from bigred_agent.phrases.phrase import Changes, Phrase, Value
from bigred_agent.phrases.spoken import release_values
from bigred_broker.messages import AppState, Phase

# PREPARING is silent: the box has just announced that the press was accepted.
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


def handle(state: State, update: AppUpdate, now_s: float, policy: Policy) -> Transition:
    """Handle the state of an app."""
    app = update.app
    known = state.apps.get(app.app)
    before = known.state if known else None
    same = before is not None and before.deployment == app.deployment
    ours = _is_ours(state, update, same=same)
    live = before is not None and not update.retained
    announced_done = known.announced_done if known and same else 0

    effects: list[Effect] = []
    if ours or same or live:
        effects += _progress(app, announced_done)
    moved = not same or before is None or before.phase is not app.phase
    is_news = ours or _is_followed(before, same) or (live and not same)
    if app.phase is not None and moved and is_news:
        effects += _phase(app, app.phase, expected=ours or same)
        state = _show(state, app.phase, now_s, policy)
    if live and _new_candidate(before, app):
        effects.append(_candidate(app))

    state = _no_longer_awaited(state, app)
    done = app.progress.done if app.progress else 0
    apps = {**state.apps, app.app: TrackedApp(app, max(announced_done, done))}
    return replace(state, apps=apps), tuple(effects)


def forget(state: State, app: str) -> State:
    """Drop an app that was removed."""
    return replace(state, apps={name: known for name, known in state.apps.items() if name != app})


def _is_ours(state: State, update: AppUpdate, *, same: bool) -> bool:
    """Whether it is about a press of this box, even if the reply is still on its way."""
    if state.accepted is not None and state.accepted.deployment == update.app.deployment:
        return True
    fired = state.pending.arming if state.pending else None
    if fired is None or fired.app != update.app.app:
        return False
    return not same and not update.retained and update.app.deployment is not None


def _no_longer_awaited(state: State, app: AppState) -> State:
    if state.accepted is not None and state.accepted.deployment == app.deployment:
        state = replace(state, accepted=None)
    counted = state.countdown is not None and state.countdown.deployment == app.deployment
    if counted and app.phase is not None and app.phase.is_outcome:
        state = replace(state, countdown=None)
    return state


def _is_followed(before: AppState | None, same: bool) -> bool:
    return same and before is not None and before.phase is not None and not before.phase.is_outcome


def _phase(app: AppState, phase: Phase, *, expected: bool) -> list[Effect]:
    values: dict[str, Value] = release_values(app.app, app.release)
    values.pop("author")
    effects: list[Effect] = []
    if not expected and not phase.is_outcome:
        # Started elsewhere, by another box or a terminal: everybody should know.
        effects.append(Say(Phrase.STARTED, values))
    phrase = _PHASES.get(phase)
    if phrase is None:
        return effects
    filled: dict[str, Value] = dict(values) if phase in _WITH_RELEASE else {}
    if phase in _WITH_REASON:
        filled["reason"] = app.reason
    return [*effects, Say(phrase, filled)]


def _show(state: State, phase: Phase, now_s: float, policy: Policy) -> State:
    pattern = light.outcome(phase)
    if pattern is None:
        return replace(state, recent_outcome=None)
    return replace(state, recent_outcome=RecentOutcome(pattern, now_s + policy.outcome_light_s))


def _progress(app: AppState, announced_done: int) -> list[Effect]:
    if app.progress is None or app.phase not in _COUNTING or app.progress.done <= announced_done:
        return []
    if app.progress.unit != _NODES:
        # Percent are shown by the lights; spoken, they would be a hundred sentences.
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
    values["changes"] = Changes(app.candidate.changed, app.candidate.authors)
    return Say(Phrase.CANDIDATE_CHANGES, values)
