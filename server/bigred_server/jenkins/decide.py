"""The next step of a run in Jenkins, from the journal and one look. Pure."""

from dataclasses import dataclass, replace

from bigred_broker.messages import Phase
from bigred_server.jenkins.answers import BuildInfo
from bigred_server.jenkins.run_record import RunRecord, Stop
from bigred_server.jenkins.run_state import Away, BuildRunning, Queued, RunState, Started, Withdrawn

# Jenkins shows what it was asked for at once; only one that never heard of it shows nothing.
FIND_S = 15.0
# A build is given so long to stop before it is stopped harder.
STOP_S = 30.0
# Nobody waits for a build that nothing stops.
GIVE_UP_S = 120.0
_HARDER = {None: Stop.STOP, Stop.STOP: Stop.TERM, Stop.TERM: Stop.KILL, Stop.KILL: Stop.KILL}


@dataclass(frozen=True)
class Limits:
    """How long a run may wait in the queue, and how long it may take, in seconds.

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
    """Ask Jenkins for the run; `trail` is to be in the journal before."""

    trail: RunRecord


@dataclass(frozen=True)
class Note:
    """Something new is known of where it is."""

    trail: RunRecord
    phase: Phase


@dataclass(frozen=True)
class Halt:
    """Have it stopped, in this way; `trail` is to be in the journal before."""

    trail: RunRecord
    how: Stop


@dataclass(frozen=True)
class End:
    """It is over."""

    phase: Phase
    reason: str = ""


Step = KeepWaiting | Ask | Note | Halt | End


def decide(
    trail: RunRecord, seen: RunState | None, limits: Limits, now: float, *, abort: bool
) -> Step:
    """Give the one next step; `now` is Unix time, `abort` whether a person asked for that.

    `seen` is None before anything was asked for.
    """
    if trail.asked_at is None:
        if abort:
            return End(Phase.ABORTED, "it was aborted before Jenkins was asked")
        return Ask(replace(trail, asked_at=now))
    match seen:
        case Queued(item):
            if trail.item is None:
                return Note(replace(trail, item=item), Phase.PREPARING)
            waited_s = now - trail.asked_at
            why = f"it waited in Jenkins's queue for more than {limits.queue_s:g} s"
            return _or_halt(trail, why if waited_s > limits.queue_s else "", now, abort=abort)
        case Started(number):
            return Note(replace(trail, build=number, began_at=now), Phase.ROLLING)
        case Withdrawn():
            return _ended_by_us(trail, abort=abort) or End(
                Phase.ABORTED, "it was taken from Jenkins's queue there"
            )
        case BuildRunning(build):
            return _of_build(trail, build, limits, now, abort=abort)
        case Away():
            return _while_away(trail, limits, now)
        case _:
            return _of_lost(trail, now)


def _of_build(
    trail: RunRecord, build: BuildInfo, limits: Limits, now: float, *, abort: bool
) -> Step:
    if build.is_over:
        return _over(trail, build, limits, abort=abort)
    took_s = now - (trail.began_at or now)
    why = f"it took more than {limits.build_s:g} s" if took_s > limits.build_s else ""
    return _or_halt(trail, why, now, abort=abort)


def _over(trail: RunRecord, build: BuildInfo, limits: Limits, *, abort: bool) -> End:
    match build.result:
        case "SUCCESS":
            # Also where it was quicker than those who wanted to stop it.
            return End(Phase.SUCCEEDED)
        case "UNSTABLE" if limits.unstable:
            return End(Phase.SUCCEEDED, "Jenkins calls it unstable")
        case "ABORTED":
            return _ended_by_us(trail, abort=abort) or End(
                Phase.ABORTED, "it was aborted in Jenkins"
            )
    return End(Phase.FAILED, f"Jenkins says {build.result}")


def _or_halt(trail: RunRecord, why: str, now: float, *, abort: bool) -> Step:
    """Stop it where that is wanted, ever harder; else wait."""
    if not (abort or why or trail.why):
        return KeepWaiting()
    if trail.stopped_at is not None and now - trail.stopped_at < STOP_S:
        return KeepWaiting()
    if trail.stop is Stop.KILL:
        if now - (trail.stopped_at or now) < GIVE_UP_S:
            return KeepWaiting()
        return End(Phase.FAILED, "nothing stops it: stop it in Jenkins by hand")
    how = _HARDER[trail.stop]
    return Halt(replace(trail, stop=how, stopped_at=now, why=trail.why or why), how)


def _ended_by_us(trail: RunRecord, *, abort: bool) -> End | None:
    if trail.why:
        return End(Phase.FAILED, f"{trail.why} and was stopped")
    return End(Phase.ABORTED) if abort and trail.stop else None


def _while_away(trail: RunRecord, limits: Limits, now: float) -> Step:
    """A Jenkins that is away may come back; nobody waits for longer than the run may take."""
    begun = trail.began_at or trail.asked_at or now
    longest_s = limits.build_s + (0 if trail.began_at else limits.queue_s)
    if now - begun <= longest_s + GIVE_UP_S:
        return KeepWaiting()
    return End(Phase.FAILED, "Jenkins is away, and how it ended is not known: look there")


def _of_lost(trail: RunRecord, now: float) -> Step:
    if trail.build is not None:
        return End(Phase.FAILED, "the build is not in Jenkins any more: it was deleted there")
    if trail.item is not None:
        return End(Phase.FAILED, "neither Jenkins's queue nor its builds have it any more")
    if now - (trail.asked_at or now) < FIND_S:
        return KeepWaiting()
    return End(
        Phase.FAILED,
        "Jenkins gave no answer when it was asked for it, and has it neither in its queue nor "
        "among its builds: fire again",
    )
