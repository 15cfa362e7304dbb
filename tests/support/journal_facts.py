"""The facts in a journal, as lines: whether what was acknowledged to a writer is there."""

import sqlite3
from contextlib import closing
from pathlib import Path

_TEXT = 60


def press_of(deployment: str, box: str, event: str) -> str:
    """Return the fact that a press began a deployment, and is answered so again."""
    return f"press {deployment} {box} {event}"


def intent_of(deployment: str, node: str) -> str:
    """Return the fact that an act was to begin on a node."""
    return f"intent {deployment} {node}"


def outcome_of(deployment: str, node: str) -> str:
    """Return the fact that an act on a node has ended."""
    return f"outcome {deployment} {node}"


def event_of(deployment: str, text: str) -> str:
    """Return the fact that something has happened in a deployment."""
    return f"event {deployment} {text[:_TEXT]}"


def end_of(deployment: str) -> str:
    """Return the fact that a deployment has ended."""
    return f"end {deployment}"


def facts(journal: Path) -> frozenset[str]:
    """Return all facts in an SQLite journal. Fail if SQLite finds it damaged."""
    with closing(sqlite3.connect(journal)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        presses = db.execute(
            "SELECT deployment.id, answer.box, answer.event FROM answer JOIN deployment"
            " ON deployment.id = json_extract(answer.reply, '$.deployment')"
        ).fetchall()
        acts = db.execute("SELECT deployment, node, outcome FROM act").fetchall()
        events = db.execute("SELECT deployment, text FROM event").fetchall()
        ends = db.execute("SELECT id FROM deployment WHERE ended_at IS NOT NULL").fetchall()
    return frozenset(
        [
            *(press_of(*press) for press in presses),
            *(intent_of(deployment, node) for deployment, node, _ in acts),
            *(outcome_of(deployment, node) for deployment, node, outcome in acts if outcome),
            *(event_of(*event) for event in events),
            *(end_of(deployment) for (deployment,) in ends),
        ]
    )
