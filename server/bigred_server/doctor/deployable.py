"""Check whether a deployment could begin now, by the rules that a rollout follows. Pure."""

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.plan import plan, to_be
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Target

# A release that no node has: whichever is next.
_NEXT = "next"
_LIVE = Target("live", "")


def check(where: str, look: FleetLook, policy: Policy, size: int, *, is_live: bool) -> Finding:
    """Check a look at the fleet.

    `size`: of the release in bytes. `is_live`: whether there is a release to go back to.
    """
    code = "deployment"
    record = DeploymentRecord("", where, _NEXT, None, "", 0.0)
    deployment = Deployment(record, Target(_NEXT, "", size=size), _LIVE if is_live else None)
    planned = plan(to_be(deployment, look.nodes, policy, look), ())
    if planned.could_begin:
        skipped = f", without {', '.join(planned.skipped)}" if planned.skipped else ""
        return Finding(code, Severity.OK, where, f"a deployment could begin now{skipped}")
    text = f"no deployment could begin now: {planned.reason}"
    return Finding(code, Severity.BAD, where, text, "fix this first; until then nothing is touched")
