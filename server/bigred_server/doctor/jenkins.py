"""The check of a job in Jenkins: that it is there, may be started, and takes our parameters."""

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Level
from bigred_server.jenkins.preflight import JobSight

_CODE = "jenkins"


async def look(sight: JobSight) -> list[Finding]:
    """Look at the job of an app, and at the file of its token."""
    where = f"{sight.name}, job {sight.job.name} of Jenkins"
    findings = [site.secret(where, sight.settings.jenkins.token_file)]
    seen = await sight.look()
    if seen.run is None:
        mend = "mend it first: a press would be refused"
        return [*findings, Finding(_CODE, Level.BAD, where, seen.hindrance, mend)]
    return [*findings, Finding(_CODE, Level.OK, where, f"{seen.run.version} is the next")]
