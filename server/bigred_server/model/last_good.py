"""The release that a rollback of the live one restores. Pure."""

from collections.abc import Sequence

from bigred_broker.messages import Phase
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage, live_of

_ROLLBACK_STAGES = (Stage.RETIRED, Stage.READY)


def last_good(releases: Sequence[Release], history: Sequence[DeploymentRecord]) -> Release | None:
    """Return the release that a rollback of the live one would restore; None if there is none.

    It is the previously live release, unless that has become bad since and nobody has cleared it.
    `history` holds the app's deployments, newest first, without single-node repairs.
    """
    live = live_of(releases)
    if live is None:
        return None
    good = {release.digest: release for release in releases if release.stage in _ROLLBACK_STAGES}
    deployed = (r for r in history if r.phase is Phase.SUCCEEDED and r.digest == live.digest)
    latest = next(deployed, None)
    if latest is not None and latest.previous in good:
        return good[latest.previous]
    retired = (release for release in good.values() if release.stage is Stage.RETIRED)
    return max(retired, key=lambda release: release.submitted_at, default=None)
