"""Begin a deployment: the one place that writes its record, for every kind of request."""

import time

from bigred_server.journal import deployments
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.deployment import DeploymentRecord, new_deployment_id
from bigred_server.model.json_object import Json

# Who asks for a repair, in the journal.
NOBODY = "bigred"


async def begin_deployment(
    db: AsyncConnection,
    app: str,
    digest: str,
    who: str,
    *,
    countdown_s: float = 0.0,
    takes_back: str | None = None,
    mends: str | None = None,
    trail: Json | None = None,
) -> DeploymentRecord:
    """Write a new deployment in the caller's transaction, and return it.

    `countdown_s`: how long it waits before it touches any node. `takes_back`: the digest of the
    release that a rollback replaces. `mends`: the one node to bring back to the live release.
    `trail`: for a run of a Jenkins job, empty at first. Raise DeploymentError if a deployment of
    the app is already running.
    """
    now = time.time()
    record = DeploymentRecord(
        id=new_deployment_id(),
        app=app,
        digest=digest,
        previous=None,
        who=who,
        started_at=now,
        not_before=now + countdown_s if countdown_s else 0.0,
        takes_back=takes_back,
        mends=mends,
        trail=trail,
    )
    await deployments.add(db, record)
    return record


async def begin_repair(db: AsyncConnection, app: str, digest: str, node: str) -> None:
    """Begin the deployment that brings one node back to the live release; nobody asked for it."""
    await begin_deployment(db, app, digest, NOBODY, mends=node)
