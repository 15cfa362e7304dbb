"""The state of an app in a small message, as small clients want it: without a list that grows.

What the candidate changes is in a message of its own.
"""

from bigred_broker.messages.app import AppChanges, AppState, ReleaseNote
from bigred_broker.messages.codec import size

SMALL_BYTES = 2 * 1024
# The most characters of each text, tried one after the other until the message is small.
_TEXTS = (500, 200, 100, 40, 16, 8)
_VERSION = 40


def brief(state: AppState) -> AppState:
    """Return the state without its changes, its texts cut until it is below `SMALL_BYTES`.

    Only a list of some dozens of nodes makes it longer.
    """
    for most in _TEXTS:
        small = _cut(state, most)
        if size(small) < SMALL_BYTES:
            break
    return small


def changes_of(state: AppState) -> AppChanges:
    """Return what the candidate changes."""
    waiting = state.candidate
    if waiting is None:
        return AppChanges(app=state.app)
    return AppChanges(
        app=state.app,
        digest=waiting.digest,
        version=waiting.version,
        changes=waiting.changes,
        changed=waiting.changed,
    )


def _cut(state: AppState, most: int) -> AppState:
    texts: dict[str, object] = {"who": state.who[:most], "reason": state.reason[:most]}
    notes = {name: getattr(state, name) for name in ("release", "live", "candidate")}
    releases = {name: _cut_release(note, most) for name, note in notes.items() if note is not None}
    judgement = state.judgement
    if judgement is not None:
        texts["judgement"] = judgement.model_copy(update={"reason": judgement.reason[:most]})
    return state.model_copy(update={**texts, **releases})


def _cut_release(note: ReleaseNote, most: int) -> ReleaseNote:
    return note.model_copy(
        update={
            "version": note.version[: max(most, _VERSION)],
            "author": note.author[:most],
            "message": note.message[:most],
            "authors": tuple(one[:most] for one in note.authors),
            "changes": (),
        }
    )
