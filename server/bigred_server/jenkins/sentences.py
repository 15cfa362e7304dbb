"""The sentences about a run in Jenkins. They are shown and spoken, so they are short."""

from collections.abc import Mapping, Sequence

from bigred_broker.messages import Phase
from bigred_server.jenkins.job import JenkinsJob
from bigred_server.jenkins.run_record import Stop

_ENDED = {
    Phase.SUCCEEDED: "{version} is live",
    Phase.ABORTED: "{version} was aborted",
    Phase.FAILED: "{version} failed",
}
_STAGES = {
    "IN_PROGRESS": "stage {name} started",
    "SUCCESS": "stage {name} finished in {seconds:.0f} s",
    "UNSTABLE": "stage {name} is unstable",
    "FAILED": "stage {name} failed",
    "ABORTED": "stage {name} was aborted",
    "PAUSED_PENDING_INPUT": "stage {name} waits for input: {url}",
}
_STOPS = {Stop.STOP: "stop", Stop.TERM: "terminate", Stop.KILL: "kill"}


def requested(job: JenkinsJob, item: int | None, parameters: Mapping[str, str]) -> str:
    """Say that a build was requested; name only the parameters, as values may be secret."""
    names = f" with {', '.join(parameters)}" if parameters else ""
    where = f", queue item {item}" if item is not None else ""
    return f"requested a Jenkins build of {job.name}{names}{where}: {job.url}"


def not_started(why: str) -> str:
    """Say that Jenkins refused."""
    return f"Jenkins did not start it: {why}"


def waiting(why: str) -> str:
    """Say what a queue item waits for."""
    return f"waits in Jenkins's queue: {why}"


def shared(others: Sequence[str]) -> str:
    """Say that Jenkins has one queue item for several requests."""
    return f"{' and '.join(others)} requested the same: Jenkins runs it once for all"


def started(number: int, url: str) -> str:
    """Say that the build has started."""
    return f"Jenkins started build {number}: {url}"


def stage(name: str, status: str, milliseconds: int, url: str) -> str:
    """Say what happened to a stage, or return "" if that is not news."""
    text = _STAGES.get(status, "")
    return text.format(name=name, seconds=milliseconds / 1000, url=url)


def away(why: str) -> str:
    """Say that Jenkins can't be queried at the moment."""
    return f"Jenkins can't be queried; the build goes on there: {why}"


BACK = "Jenkins answers again"


def halted(how: Stop, why: str, who: str) -> str:
    """Say that Jenkins was asked to stop the run."""
    because = f"because {why}" if why else f"for {who}"
    return f"asked Jenkins to {_STOPS[how]} it {because}"


def not_stopped(why: str) -> str:
    """Say that the run could not be stopped."""
    return f"Jenkins did not stop it: {why}"


def ended(phase: Phase, version: str, reason: str) -> str:
    """Say how the deployment ended."""
    text = _ENDED[phase].format(version=version)
    return f"{text}: {reason}" if reason else text
