"""The unattended demo: lid, press, and the whole deployment, reported line by line."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any  # a receipt is JSON

from bigred_broker.messages import Answer, AppState, Lid, Phase
from bigred_broker.program import ProgramError, tail
from bigred_server.demo.demo_site import FIRST, DemoSite, Say
from bigred_server.demo.load import Load
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.request_log import failures
from bigred_server.demo.running_site import customers, running_site
from bigred_server.demo.sample import BuildKind
from bigred_server.demo.subscriber import Received, Subscriber
from bigred_server.demo.summary import Moments, summary
from bigred_server.model.release import Stage as ReleaseStage

SECOND = "1.1.0"
AUTHOR = "Ada"

JUDGED = DemoOptions(
    more={
        "apps.shop.judge": {"mode": "rollback", "warmup_s": 5.0},
        "apps.shop.bake": {"canary_s": 5.0},
    }
)

_BEFORE_S = 2.0
# From lid to press, as fast as a person: the box debounces anything faster.
_LID_TO_PRESS_S = 0.3
_AFTER_S = 2.0
_READY_S = 20.0
_ANSWER_S = 5.0
_END_S = 300.0
_FAILURES_SHOWN = 10


@dataclass(frozen=True)
class Scenario:
    """What the demo shows."""

    nodes: int
    rate: float
    kind: BuildKind

    @property
    def site(self) -> DemoOptions:
        """The options of the site; the judge is on if only it can detect the bad build."""
        return JUDGED if self.kind.is_for_the_judge else DemoOptions()

    @property
    def expected(self) -> Phase:
        """The outcome that the deployment must have."""
        return Phase.SUCCEEDED if self.kind is BuildKind.GOOD else Phase.ROLLED_BACK


def submit(demo_site: DemoSite, version: str, kind: BuildKind) -> str:
    """Submit a release as a developer would; return the output of the command."""
    message = "a red button on the order page" if kind is BuildKind.GOOD else f"a build that {kind}"
    done = demo_site.bigred(
        "submit",
        str(demo_site.build(version, kind)),
        *("--version", version, "--author", AUTHOR, "--message", message),
    )
    if done.returncode != 0:
        raise ProgramError(f"bigred submit failed: {done.stderr.strip()}")
    return done.stdout.strip()


def run_unattended(scenario: Scenario, say: Say) -> tuple[dict[str, Any], list[str]]:
    """Run the scenario to its end; return the receipt, and everything that went wrong."""
    with running_site(scenario.nodes, scenario.site, say) as demo_site:
        with customers(demo_site, scenario.rate, say) as load:
            begun_s = time.monotonic()
            try:
                moments = asyncio.run(_run_steps(demo_site, scenario, load, say))
            except ProgramError as error:
                raise ProgramError(f"{error}{_log_tails(demo_site)}") from error
        moments = replace(moments, traffic=begun_s, stopped=time.monotonic())
        receipt = summary(_receipt(demo_site), load.seen(), moments)
        failed = [] if scenario.kind.is_for_the_judge else failures(load.seen())
        faults = [f"failed request: {f.kind} {f.outcome}" for f in failed]
        return receipt, [*faults[:_FAILURES_SHOWN], *_faults(demo_site, scenario, receipt)]


def _log_tails(demo_site: DemoSite) -> str:
    """Return the ends of the logs, which are removed with the demo site."""
    logs = ((name, tail(demo_site.log(name), 8)) for name in ("server", "box"))
    return "".join(f"\n--- the log of the {name}:\n{text}" for name, text in logs)


def _receipt(demo_site: DemoSite) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(demo_site.bigred("show", "--json").stdout)["receipt"]
    return shown


def _faults(demo_site: DemoSite, scenario: Scenario, receipt: dict[str, Any]) -> list[str]:
    """List how the end differs from the expected one, in the fleet and not only in the receipt."""
    faults = []
    if receipt["outcome"] != scenario.expected:
        faults.append(f"the outcome is {receipt['outcome']}, expected: {scenario.expected}")
    state = AppState.model_validate_json(demo_site.bigred("status", "--json").stdout)
    live = SECOND if scenario.kind is BuildKind.GOOD else FIRST
    for node in state.nodes:
        if (node.state, node.release) != ("serving", live):
            faults.append(
                f"{node.name} is {node.state} with {node.release}, expected: serving with {live}"
            )
    if scenario.kind is not BuildKind.GOOD:
        refused = demo_site.bigred("deploy", SECOND)
        if refused.returncode == 0 or f"is {ReleaseStage.BAD}" not in refused.stderr:
            faults.append(f"{SECOND} is not refused as bad: {refused.stderr.strip()}")
    return faults


async def _run_steps(demo_site: DemoSite, scenario: Scenario, load: Load, say: Say) -> Moments:
    async with subscribed(demo_site, Reporter(say).report) as subscriber:
        await subscriber.until(lambda: _is_ready(subscriber), _READY_S, "box and server are ready")
        await asyncio.sleep(_BEFORE_S)
        say(await asyncio.to_thread(submit, demo_site, SECOND, scenario.kind))
        await subscriber.until(
            lambda: _is_candidate(subscriber), _READY_S, f"{SECOND} is the candidate"
        )
        say("the lid is lifted")
        lid_s = time.monotonic()
        demo_site.set_button("open")
        armed_s = await _answered(subscriber, Answer.ARMED)
        await subscriber.until(lambda: subscriber.is_armed, _ANSWER_S, "the box is armed")
        await asyncio.sleep(_LID_TO_PRESS_S)
        say("the button is pushed")
        press_s = time.monotonic()
        demo_site.set_button("press")
        accepted_s = await _answered(subscriber, Answer.ACCEPTED)
        await subscriber.until(lambda: _has_ended(subscriber), _END_S, "the deployment has ended")
        ended_s = time.monotonic()
        demo_site.set_button("close")
        await asyncio.sleep(_AFTER_S)
        counted = load.counts()
        say(f"{counted.requests} requests so far, {counted.failed} failed")
    return Moments(0.0, lid_s, armed_s, press_s, accepted_s, ended_s, 0.0)


@contextlib.asynccontextmanager
async def subscribed(
    demo_site: DemoSite, receive: Callable[[Received], None]
) -> AsyncIterator[Subscriber]:
    """Subscribe to all messages, and pass them on until the block ends."""
    subscriber = Subscriber(receive)
    listening = asyncio.create_task(subscriber.listen(demo_site.broker))
    try:
        yield subscriber
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def _is_ready(subscriber: Subscriber) -> bool:
    box, app = subscriber.box, subscriber.app
    return (
        box is not None
        and box.lid is Lid.CLOSED
        and app is not None
        and app.live is not None
        and app.live.version == FIRST
    )


def _is_candidate(subscriber: Subscriber) -> bool:
    app = subscriber.app
    return app is not None and app.candidate is not None and app.candidate.version == SECOND


def _has_ended(subscriber: Subscriber) -> bool:
    return bool(subscriber.app and subscriber.app.phase and subscriber.app.phase.is_outcome)


async def _answered(subscriber: Subscriber, wanted: Answer) -> float:
    """Wait for the server's next reply; return when it was received (monotonic seconds)."""
    seen = len(subscriber.replies)
    await subscriber.until(lambda: len(subscriber.replies) > seen, _ANSWER_S, "the server answers")
    at_s, reply = subscriber.replies[-1]
    if reply.answer is not wanted:
        raise ProgramError(
            f"the server answered {reply.answer} instead of {wanted}: {reply.reason}"
        )
    return at_s


def write(receipt: dict[str, Any], file: Path) -> None:
    """Write the receipt to a file."""
    file.write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
