"""Carries out the trials: a person at the button, a strike beside it, and the look at the end."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any  # messages are JSON

from tests.support import neighbours, verdict
from tests.support.stage import Stage
from tests.support.strikes import Blow, Strike, Target
from tests.support.swaps import Swaps
from tests.support.trial import Push, Trial
from tests.support.verdict import Evidence

from bigred_broker.messages import Phase
from bigred_broker.program import ProgramError, wait_until
from bigred_broker.topics import Topics
from bigred_server.demo.config import APP, BOX
from bigred_server.demo.demo_site import FIRST
from bigred_server.demo.sample import BuildKind

TOPICS = Topics()
READY_S = 90.0
END_S = 180.0
_ARM_S = 100.0
_ARMED_S = 3.0
_FIRED_S = 8.0
_HAND_S = 0.3
# Two presses of one excited person are one.
_STOP_S = 5.5
_HELD_S = 0.5
_ATTEMPTS = 3
_EVERY_S = 0.05


@dataclass
class Trials:
    """The trials on one stage, one after the other."""

    stage: Stage
    live: str = FIRST
    cycle_s: float = 8.0
    _number: int = 1
    # When the button was pushed in this trial, and the deployment that followed.
    _pushed: list[tuple[float, str | None]] = field(default_factory=list)

    def run(self, strike: Strike, *, hits: bool = True) -> Trial:
        """Deploy by the button while a process is struck; check how it ends."""
        self._number += 1
        version = f"{self._number}.0.0"
        self._until(self._is_ready, READY_S, "the site is ready for a trial")
        self.stage.rig.submit(version, strike.build)
        self._until(lambda: self._candidate() == version, READY_S, f"{version} can be deployed")
        trial, before = Trial(strike, time.monotonic()), self.live
        self._pushed.clear()
        striking = threading.Thread(target=self._strike, args=(strike, trial))
        swaps = Swaps(self.stage.rig.demo_site)
        with swaps.watched():
            if hits:
                striking.start()
            try:
                self._deploy(trial, version)
            except (AssertionError, ProgramError) as error:
                trial.faults.append(str(error))
            if hits:
                striking.join()
            self._judge(trial, version, before)
        trial.faults += swaps.faults
        trial.pushes = self._pushes()
        trial.ended_s = time.monotonic()
        return trial

    def _strike(self, strike: Strike, trial: Trial) -> None:
        time.sleep(max(0.0, trial.begun_s + strike.at * self.cycle_s - time.monotonic()))
        try:
            self.stage.strike(strike, trial)
        except Exception as error:
            # The outermost edge of its thread: the trial goes on, and is marked.
            trial.faults.append(f"the strike broke: {type(error).__name__}: {error}")
            trial.over_s = time.monotonic()

    def _deploy(self, trial: Trial, version: str) -> None:
        """Push until a deployment has begun, as a person would; wait for its end."""
        begun_at = time.time()
        deployment = None
        for _ in range(_ATTEMPTS):
            self._arm()
            time.sleep(_HAND_S)
            pushed_s = time.monotonic()
            self.stage.move_button("press")
            deployment = self._fired(trial, begun_at)
            self._pushed.append((pushed_s, deployment))
            if deployment is not None:
                break
            if self._push(pushed_s, None).answer.startswith("accepted"):
                trial.faults.append("a press was accepted, and nothing was deployed")
            self.stage.move_button("close")
        if deployment is None:
            return
        if trial.strike.stops:
            self._stop(trial, deployment)
        journal = self.stage.rig.journal
        try:
            self._until(lambda: journal.has_ended(deployment), END_S, "the deployment has ended")
        finally:
            row = journal.deployment(deployment)
            trial.outcome, trial.reason = row.phase, row.reason
            trial.story = [f"{text}" for _, text in journal.events(deployment)]
            trial.faults += journal.faults(deployment)
        if self.stage.rig.journal.live() == [version]:
            self.live = version

    def _arm(self) -> None:
        """Lift the lid until the box is armed; close it before another try."""
        end_s = time.monotonic() + _ARM_S
        while True:
            if time.monotonic() > end_s:
                raise ProgramError(
                    f"the box was never armed; the last reply: {self._last('reply')}"
                )
            lifted_s = time.monotonic()
            self.stage.move_button("open")
            try:
                wait_until(lambda since=lifted_s: self._is_armed(since), _ARMED_S, "armed")  # type: ignore[misc]
            except ProgramError:
                self.stage.move_button("close")
                time.sleep(_HAND_S)
            else:
                return

    def _is_armed(self, since_s: float) -> bool:
        states = self.stage.recorder.of(TOPICS.box(BOX, "state"))
        return (
            bool(states)
            and states[-1].at_s > since_s
            and states[-1].body["lights"]["pattern"] == "armed"
        )

    def _fired(self, trial: Trial, begun_at: float) -> str | None:
        """Return the deployment that has begun; None if none has, long after push and strike."""
        last_s = time.monotonic()
        while time.monotonic() < max(last_s, trial.over_s) + _FIRED_S or self._is_striking(trial):
            if found := self.stage.rig.journal.begun(begun_at):
                return found[0]
            if self._refused_since(last_s):
                return None
            time.sleep(_EVERY_S)
        return None

    def _is_striking(self, trial: Trial) -> bool:
        return trial.struck_s > 0 and trial.over_s == 0.0

    def _refused_since(self, pushed_s: float) -> bool:
        replies = self.stage.recorder.of(TOPICS.box(BOX, "reply"))
        return any(one.at_s > pushed_s and one.body["answer"] == "refused" for one in replies)

    def _pushes(self) -> list[Push]:
        """Return what came of each push, until the next one."""
        ends = [pushed_s for pushed_s, _ in self._pushed[1:]] + [time.monotonic()]
        return [
            self._push(pushed_s, deployment, end_s)
            for (pushed_s, deployment), end_s in zip(self._pushed, ends, strict=True)
        ]

    def _push(self, pushed_s: float, deployment: str | None, end_s: float = math.inf) -> Push:
        """Collect what is known about a push."""
        recorder = self.stage.recorder
        ids = [
            one.body["id"]
            for one in recorder.of(TOPICS.box(BOX, "event"))
            if pushed_s <= one.at_s < end_s and one.body["event_type"] == "press"
        ]
        replies = [
            one for one in recorder.of(TOPICS.box(BOX, "reply")) if one.body["id"] in ids[:1]
        ]
        said: list[tuple[float, str]] = []
        for one in recorder.of(TOPICS.box(BOX, "state")):
            text = one.body["voice"]["said"]
            if pushed_s <= one.at_s < end_s and text and (not said or said[-1][1] != text):
                said.append((one.at_s, text))
        push = Push(pushed_s, said=tuple(said[:5]))
        if replies:
            body: dict[str, Any] = replies[0].body
            answer = f"{body['answer']} {body.get('command') or body.get('code') or ''}".strip()
            push = replace(push, answered_s=replies[0].at_s, answer=answer)
        if deployment is not None:
            started_at = self.stage.rig.journal.deployment(deployment).started_at
            push = replace(push, begun_s=started_at - time.time() + time.monotonic())
        return push

    def _stop(self, trial: Trial, deployment: str) -> None:
        """Push again in mid-deployment; if it is accepted, no other node may be begun."""
        journal = self.stage.rig.journal
        started_at = journal.deployment(deployment).started_at
        time.sleep(max(0.0, started_at + _STOP_S - time.time()))
        if journal.has_ended(deployment):
            return
        pushed_s, pushed_at = time.monotonic(), time.time()
        self.stage.move_button("press")
        try:
            self._until(
                lambda: self._push(pushed_s, None).answered_s is not None, _FIRED_S, "answered"
            )
        except ProgramError:
            """Not honoured, and not accepted: the box has said so."""
        self._pushed.append((pushed_s, None))
        push = self._push(pushed_s, None)
        if push.answer != "accepted hold" or push.answered_s is None:
            return
        held_at = pushed_at + push.answered_s - pushed_s + _HELD_S
        self._until(
            lambda: (
                journal.deployment(deployment).phase == Phase.HOLDING
                or journal.has_ended(deployment)
            ),
            END_S,
            "the deployment is held",
        )
        if journal.has_ended(deployment):
            return
        begun: dict[str, float] = {}
        for action in journal.actions(deployment):
            begun.setdefault(action.node, action.begun_at)
        late = sorted(node for node, at in begun.items() if at > held_at)
        if late:
            trial.faults.append(f"{', '.join(late)} begun after the emergency stop was accepted")
        self._until(lambda: not self._is_striking(trial), END_S, "the strike is over")
        # A rollback can't be continued, and is none the worse for it.
        self.stage.rig.tried("continue")

    def _judge(self, trial: Trial, version: str, before: str) -> None:
        """Name what must not be at the end."""
        self.stage.move_button("close")
        rig = self.stage.rig
        struck = {trial.strike.node} if trial.strike.target is Target.TOMCAT else set()
        if trial.outcome != "nothing":
            evidence = Evidence(
                build=trial.strike.build,
                phase=Phase(trial.outcome),
                reason=trial.reason,
                before=before,
                wanted=version,
                live=tuple(rig.journal.live()),
                nodes=(),
                serving={},
            )
            trial.faults += verdict.faults(evidence)
        try:
            rig.until_serving(self.live, READY_S)
        except ProgramError as error:
            serving = neighbours.serving(rig.demo_site.haproxies, rig.demo_site.nodes)
            trial.faults.append(f"{error}; serving is {serving}, struck was {struck or 'no node'}")

    def _is_ready(self) -> bool:
        box, server = self._last("status"), self.stage.recorder.last(TOPICS.server_status)
        state = self._last("state")
        return (
            (box, server) == ("online", "online")
            and state is not None
            and state["lid"] == "closed"
            and self.stage.rig.tried("status").returncode == 0
        )

    def _last(self, leaf: Any) -> Any:
        return self.stage.recorder.last(TOPICS.box(BOX, leaf))

    def _candidate(self) -> str | None:
        state = self.stage.recorder.last(TOPICS.app(APP, "state"))
        candidate = state.get("candidate") if state else None
        return candidate["version"] if candidate else None

    def _until(self, is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
        wait_until(is_so, deadline_s, what, every_s=_EVERY_S)


def undisturbed(trials: Trials) -> Trial:
    """Deploy once without a strike; its time is that of a cycle from then on."""
    none = Strike(0, Target.SERVER, Blow.KILL, 1.0, 0.0, "", BuildKind.GOOD, stops=False)
    trial = trials.run(none, hits=False)
    trials.cycle_s = trial.ended_s - trial.begun_s
    return trial
