"""What the gates look at, gathered from the journal and a look at the fleet."""

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.arming.gates import GateState
from bigred_server.journal import deployments, releases
from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.view import is_serving
from bigred_server.settings import AppSettings


async def gate_state(
    db: AsyncConnection, name: str, app: AppSettings, look: FleetLook
) -> GateState:
    """Gather what is known of an app."""
    known = await releases.of_app(db, name)
    running = await deployments.running(db, name)
    version = next((r.version for r in known if running and r.digest == running.digest), "")
    return GateState(
        app=name,
        releases=known,
        running=running.phase if running else None,
        running_version=version,
        running_who=running.who if running else "",
        mends=running.mends if running else None,
        healthy=sum(is_serving(node) for node in look.nodes.values()),
        total=len(app.nodes),
        min_healthy=app.policy().min_healthy,
        trouble=look.trouble,
    )
