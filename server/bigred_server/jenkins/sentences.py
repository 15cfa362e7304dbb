"""What is told of a run in Jenkins."""

from collections.abc import Mapping

from bigred_broker.messages import Phase
from bigred_server.jenkins.job import JenkinsJob
from bigred_server.jenkins.run_record import Stop

_ENDED = {
    Phase.SUCCEEDED: "{version} is live",
    Phase.ABORTED: "{version} was aborted",
    Phase.FAILED: "{version} failed",
}
_STAGES = {
    "IN_PROGRESS": "stage {name} began",
    "SUCCESS": "stage {name} is done, in {seconds:.0f} s",
    "UNSTABLE": "stage {name} is unstable",
    "FAILED": "stage {name} failed",
    "ABORTED": "stage {name} was aborted",
    "PAUSED_PENDING_INPUT": "stage {name} waits for somebody's input: {url}",
}


def asked(job: JenkinsJob, item: int | None, parameters: Mapping[str, str]) -> str:
    """Say that Jenkins was asked; the values of parameters may be anybody's secret."""
    names = f" with {', '.join(parameters)}" if parameters else ""
    where = f", item {item} of its queue" if item is not None else ""
    return f"Jenkins was asked for a build of {job.name}{names}{where}: {job.url}"


def not_started(why: str) -> str:
    """Say that Jenkins refused."""
    return f"Jenkins did not take it: {why}"


def waiting(why: str) -> str:
    """Say what an item of the queue waits for."""
    return f"waits in Jenkins's queue: {why}"


def begun(number: int, url: str) -> str:
    """Say that the build runs."""
    return f"Jenkins runs build {number}: {url}"


def stage(name: str, status: str, milliseconds: int, url: str) -> str:
    """Say what became of a stage, or "" where that is no news."""
    text = _STAGES.get(status, "")
    return text.format(name=name, seconds=milliseconds / 1000, url=url)


def away(why: str) -> str:
    """Say that Jenkins can't be seen at the moment."""
    return f"Jenkins can't be asked, the build goes on there: {why}"


BACK = "Jenkins answers again"


def halted(how: Stop, why: str, who: str) -> str:
    """Say that it was told to stop."""
    because = f"because {why}" if why else f"for {who}"
    return f"Jenkins was told to {how} it, {because}"


def not_stopped(why: str) -> str:
    """Say that it could not be stopped."""
    return f"Jenkins did not stop it: {why}"


def ended(phase: Phase, version: str, reason: str) -> str:
    """Say how it ended."""
    text = _ENDED[phase].format(version=version)
    return f"{text}: {reason}" if reason else text
