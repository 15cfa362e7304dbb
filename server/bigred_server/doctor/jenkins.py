"""The check of a job in Jenkins: that it is there, may be started, and takes our parameters."""

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.requests.job_preflight import JobPreflight

_CODE = "jenkins"


async def look(preflight: JobPreflight) -> list[Finding]:
    """Look at the job of an app, and at the file of its token."""
    where = f"{preflight.name}, job {preflight.job.name} of Jenkins"
    findings = [site.secret(where, preflight.settings.jenkins.token_file)]
    seen = await preflight.look()
    if seen.run is None:
        mend = "mend it first: a press would be refused"
        return [*findings, Finding(_CODE, Severity.BAD, where, seen.hindrance, mend)]
    return [*findings, Finding(_CODE, Severity.OK, where, f"{seen.run.version} is the next")]
