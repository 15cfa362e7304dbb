"""The check of a Jenkins job: it exists, can be started, and accepts our parameters."""

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.requests.job_preflight import JobPreflight

_CODE = "jenkins"


async def check(preflight: JobPreflight) -> list[Finding]:
    """Check the job of an app and the file that holds its token."""
    where = f"{preflight.name}, Jenkins job {preflight.job.name}"
    findings = [site.secret(where, preflight.settings.jenkins.token_file)]
    seen = await preflight.look()
    if seen.run is None:
        fix = "fix this first: until then every press is refused"
        return [*findings, Finding(_CODE, Severity.BAD, where, seen.hindrance, fix)]
    return [*findings, Finding(_CODE, Severity.OK, where, f"the next run is {seen.run.version}")]
