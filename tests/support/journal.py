"""The journal as read from outside, on SQLite and PostgreSQL, and its invariants."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any  # rows of the database

from sqlalchemy import NullPool, RowMapping, Select, create_engine, select

from bigred_server.journal import tables
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.release import Stage
from bigred_server.rollout.core.action import ActionKind

# These may be repeated while something else is done to the node, if HAProxy has forgotten them.
_DOOR = frozenset({ActionKind.DRAIN, ActionKind.MAINT})
# Old versions are removed when their sessions are gone, whether the deployment has ended or not.
_AFTERWARDS = frozenset({ActionKind.UNDEPLOY})


@dataclass(frozen=True)
class Deployed:
    """A deployment, with the fields that the tests need."""

    phase: str
    reason: str
    started_at: float
    ended_at: float | None
    skipped: tuple[str, ...]
    set_aside: tuple[str, ...]


class Journal:
    """Reads the journal at an SQLAlchemy URL, each time with a new connection."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)

    def deployment(self, deployment: str) -> Deployed:
        """Return a deployment."""
        row = self._rows(select(tables.deployment).where(tables.deployment.c.id == deployment))[0]
        return Deployed(
            phase=row["phase"],
            reason=row["reason"],
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            skipped=tuple(row["skipped"]),
            set_aside=tuple(row["set_aside"]),
        )

    def actions(self, deployment: str) -> list[ActionRecord]:
        """List its actions in the order in which they began."""
        table = tables.action
        query = select(table).where(table.c.deployment == deployment).order_by(table.c.id)
        return [ActionRecord(**row) for row in self._rows(query)]

    def events(self, deployment: str) -> list[tuple[float, str]]:
        """List its events: when (Unix time), and a line."""
        table = tables.event
        query = select(table).where(table.c.deployment == deployment).order_by(table.c.id)
        return [
            (row["at"], f"{row['node'] or ''} {row['text']}".strip()) for row in self._rows(query)
        ]

    def live(self) -> list[str]:
        """Return the live versions: one, after a deployment."""
        table = tables.release
        query = select(table.c.version).where(table.c.stage == Stage.LIVE)
        return [row["version"] for row in self._rows(query)]

    def running(self) -> list[str]:
        """List the deployments that have not ended, repairs of single nodes included."""
        table = tables.deployment
        return [
            row["id"] for row in self._rows(select(table.c.id).where(table.c.ended_at.is_(None)))
        ]

    def begun(self, since: float) -> list[str]:
        """List the deployments of the whole app that began after a Unix time."""
        table = tables.deployment
        query = select(table.c.id).where(table.c.started_at > since, table.c.mends.is_(None))
        return [row["id"] for row in self._rows(query.order_by(table.c.started_at))]

    def has_ended(self, deployment: str) -> bool:
        """Return whether it has an outcome."""
        return self.deployment(deployment).ended_at is not None

    def faults(self, deployment: str) -> list[str]:
        """Name what must not be in the journal of a deployment that has ended."""
        return faults(self.actions(deployment), self.deployment(deployment).ended_at)

    def _rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().all()


def faults(actions: Sequence[ActionRecord], ended_at: float | None) -> list[str]:
    """Name what must not be in the actions of a deployment that has ended. Pure."""
    if ended_at is None:
        return ["it has no outcome"]
    found = [f"{_name(action)} was left open" for action in actions if action.outcome is None]
    found += [
        f"{_name(action)} was begun after the outcome"
        for action in actions
        if action.begun_at > ended_at and action.kind not in _AFTERWARDS
    ]
    for before, after in pairwise(actions):
        if after.token < before.token:
            found.append(f"{_name(after)} has an older token than {_name(before)}")
    for node in sorted({action.node for action in actions}):
        ours = [action for action in actions if action.node == node and action.kind not in _DOOR]
        found += [
            f"{_name(after)} was begun before {_name(before)} had ended"
            for before, after in pairwise(ours)
            if before.ended_at is not None and after.begun_at < before.ended_at
        ]
    return found


def _name(action: ActionRecord) -> str:
    return f"action {action.id} ({action.kind} {action.node})".replace(" )", ")")
