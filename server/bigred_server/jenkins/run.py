"""The next run of a Jenkins job, as a release that a press would make live. Pure."""

import hashlib

from bigred_server.jenkins import answers
from bigred_server.model.release import Release, Stage
from bigred_server.settings.jenkins import JenkinsAppSettings


def run_of(app: str, number: int, url: str, now: float) -> Release:
    """Give the run that a press would start as what it is to an office: a release.

    No WAR is named by its digest: a run may be another build than was announced, but never another
    job. `now` is Unix time.
    """
    digest = hashlib.sha256(f"{app} {url} {number} {now}".encode()).hexdigest()
    return Release(app, digest, version(number), "", Stage.READY, now)


def version(number: int) -> str:
    """Say the number of a build as a release is called."""
    return f"build {number}"


def hindrance(name: str, settings: JenkinsAppSettings, seen: answers.JobInfo) -> str:
    """Say what is against starting a job, or "" if nothing is."""
    job = settings.jenkins.job
    if not seen.buildable:
        return f"the job {job} is disabled in Jenkins"
    takes = seen.parameters
    for parameter, value in settings.jenkins.parameters.items():
        if parameter not in takes:
            known = ", ".join(takes) or "none"
            return (
                f"the job {job} takes no parameter {parameter}, which "
                f"[apps.{name}.jenkins.parameters] gives it; it takes: {known}"
            )
        choices = takes[parameter].choices
        if choices is not None and "{" not in value and value not in choices:
            return f"the job {job} takes for {parameter} one of {', '.join(choices)}, not {value!r}"
    return ""
