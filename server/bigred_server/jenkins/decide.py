"""The next step of a run in Jenkins, from the journal and one look. Pure."""

from dataclasses import dataclass, replace

from bigred_broker.messages import Phase
from bigred_server.jenkins.answers import BuildInfo
from bigred_server.jenkins.run_record import RunRecord, Stop
from bigred_server.jenkins.run_state import Away, BuildRunning, Queued, RunState, Started, Withdrawn

# Jenkins shows a request at once; if it shows nothing by then, it never got the request.
FIND_S = 15.0
# How long a build may take to stop before it is stopped harder.
STOP_S = 30.0
# How long to wait for a build that can't be stopped, or for a Jenkins that does not answer.
GIVE_UP_S = 120.0
_HARDER = {None: Stop.STOP, Stop.STOP: Stop.TERM, Stop.TERM: Stop.KILL, Stop.KILL: Stop.KILL}


@dataclass(frozen=True)
class Limits:
    """How long a run may wait in the queue, and how long its build may take, in seconds.

    `unstable`: whether an unstable build is a success.
    """

    queue_s: float
    build_s: float
    unstable: bool = False


@dataclass(frozen=True)
class KeepWaiting:
    """Look again."""


@dataclass(frozen=True)
class Ask:
    """Ask Jenkins to start the run; write `run` to the journal before."""

    run: RunRecord


@dataclass(frozen=True)
class Note:
    """Write to the journal what is newly known about the run."""

    run: RunRecord
    phase: Phase


@dataclass(frozen=True)
class Halt:
    """Stop the run, in this way; write `run` to the journal before."""

    run: RunRecord
    how: Stop


@dataclass(frozen=True)
class End:
    """End the deployment: the run is over."""

    phase: Phase
    reason: str = ""


Step = KeepWaiting | Ask | Note | Halt | End


def decide(
    run: RunRecord, seen: RunState | None, limits: Limits, now: float, *, abort: bool
) -> Step:
    """Return the next step; `now` is Unix time, `abort` whether a person asked to abort.

    `seen` is None before Jenkins was asked for the run.
    """
    if run.asked_at is None:
        if abort:
            return End(Phase.ABORTED, "it was aborted before it was requested from Jenkins")
        return Ask(replace(run, asked_at=now))
    match seen:
        case Queued():
            return _of_item(run, seen, limits, now, abort=abort)
        case Started(number):
            # A stop of its queue item came too late: the build wants one of its own.
            begun = replace(run, build=number, began_at=now, stop=None, stopped_at=None)
            return Note(begun, Phase.ROLLING)
        case Withdrawn():
            return _ended_by_us(run, abort=abort) or End(
                Phase.ABORTED, "it was removed from the queue in Jenkins"
            )
        case BuildRunning(build):
            return _of_build(run, build, limits, now, abort=abort)
        case Away():
            return _while_away(run, limits, now)
        case _:
            return _of_lost(run, now)


def _of_item(run: RunRecord, seen: Queued, limits: Limits, now: float, *, abort: bool) -> Step:
    if run.item is None:
        return Note(replace(run, item=seen.item), Phase.PREPARING)
    if now - (run.asked_at or now) <= limits.queue_s:
        return _or_halt(run, "", now, abort=abort)
    why = f"it waited in Jenkins's queue for more than {limits.queue_s:g} s"
    if seen.others and not abort and not run.stop:
        # Our time limit is not theirs.
        whose = " and ".join(seen.others)
        return End(Phase.FAILED, f"{why}; it stays there, because {whose} requested it too")
    return _or_halt(run, why, now, abort=abort)


def _of_build(run: RunRecord, build: BuildInfo, limits: Limits, now: float, *, abort: bool) -> Step:
    if build.is_over:
        return _over(run, build, limits, abort=abort)
    took_s = now - (run.began_at or now)
    why = f"it took more than {limits.build_s:g} s" if took_s > limits.build_s else ""
    return _or_halt(run, why, now, abort=abort)


def _over(run: RunRecord, build: BuildInfo, limits: Limits, *, abort: bool) -> End:
    match build.result:
        case "SUCCESS":
            # Also if it finished before it could be stopped.
            return End(Phase.SUCCEEDED)
        case "UNSTABLE" if limits.unstable:
            return End(Phase.SUCCEEDED, "Jenkins reports it as unstable")
        case "ABORTED":
            return _ended_by_us(run, abort=abort) or End(Phase.ABORTED, "it was aborted in Jenkins")
    return End(Phase.FAILED, f"Jenkins reports {build.result}")


def _or_halt(run: RunRecord, why: str, now: float, *, abort: bool) -> Step:
    """Stop the run if it should be stopped, ever harder; otherwise keep waiting."""
    if not (abort or why or run.why):
        return KeepWaiting()
    if run.stopped_at is not None and now - run.stopped_at < STOP_S:
        return KeepWaiting()
    if run.stop is Stop.KILL:
        if now - (run.stopped_at or now) < GIVE_UP_S:
            return KeepWaiting()
        return End(Phase.FAILED, "it does not stop: stop it in Jenkins by hand")
    how = _HARDER[run.stop]
    return Halt(replace(run, stop=how, stopped_at=now, why=run.why or why), how)


def _ended_by_us(run: RunRecord, *, abort: bool) -> End | None:
    if run.why:
        return End(Phase.FAILED, f"{run.why} and was stopped")
    return End(Phase.ABORTED) if abort and run.stop else None


def _while_away(run: RunRecord, limits: Limits, now: float) -> Step:
    """Wait for Jenkins to come back, but not much longer than the run may take."""
    begun = run.began_at or run.asked_at or now
    longest_s = limits.build_s + (0 if run.began_at else limits.queue_s)
    if now - begun <= longest_s + GIVE_UP_S:
        return KeepWaiting()
    return End(
        Phase.FAILED, "Jenkins does not answer, so its outcome is not known: check it in Jenkins"
    )


def _of_lost(run: RunRecord, now: float) -> Step:
    if run.build is not None:
        return End(Phase.FAILED, "the build was deleted in Jenkins")
    if run.item is not None:
        return End(Phase.FAILED, "it is no longer in Jenkins's queue or among its builds")
    if now - (run.asked_at or now) < FIND_S:
        return KeepWaiting()
    return End(
        Phase.FAILED,
        "Jenkins did not answer the request and has no such item in its queue or among its "
        "builds: fire again",
    )
