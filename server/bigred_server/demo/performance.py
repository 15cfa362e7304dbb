"""The performance without a hand: lid, press, and the deployment to its end, told line by line."""

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
from bigred_server.demo.audience import Audience
from bigred_server.demo.crowd import Crowd, shopping
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.sample import Kind
from bigred_server.demo.samples import failures
from bigred_server.demo.site import Site
from bigred_server.demo.slip import Moments, slip
from bigred_server.demo.stage import FIRST, Stage, set_up
from bigred_server.model.release import Stage as ReleaseStage

SECOND = "1.1.0"
AUTHOR = "Ada"

JUDGED = Site(
    more={
        "apps.shop.judge": {"mode": "rollback", "warmup_s": 5.0},
        "apps.shop.bake": {"canary_s": 5.0},
    }
)

_BEFORE_S = 2.0
# From the lid to the button, as a quick hand needs it: the box debounces whatever is faster.
_HAND_S = 0.3
_AFTER_S = 2.0
_READY_S = 20.0
_ANSWER_S = 5.0
_END_S = 300.0
_FAILURES_SHOWN = 10

Say = Callable[[str], None]


@dataclass(frozen=True)
class Play:
    """What is to be shown."""

    nodes: int
    rate: float
    kind: Kind

    @property
    def site(self) -> Site:
        """The site to play on; a judge is there where only users can tell."""
        return JUDGED if self.kind.is_for_the_judge else Site()

    @property
    def expected(self) -> Phase:
        """The outcome that this play must have."""
        return Phase.SUCCEEDED if self.kind is Kind.GOOD else Phase.ROLLED_BACK


def submit(stage: Stage, version: str, kind: Kind) -> str:
    """Hand in a release as a developer would; give what the command said."""
    message = "a red button on the order page" if kind is Kind.GOOD else f"a build that {kind}"
    done = stage.bigred(
        "submit",
        str(stage.build(version, kind)),
        *("--version", version, "--author", AUTHOR, "--message", message),
    )
    if done.returncode != 0:
        raise ProgramError(f"bigred submit: {done.stderr.strip()}")
    return done.stdout.strip()


def perform(play: Play, say: Say) -> tuple[dict[str, Any], list[str]]:
    """Play it to the end; give the receipt, and what was not as it must be."""
    with set_up(play.nodes, say, play.site) as stage, stage.server(), stage.box():
        say(f"sending {play.rate:g} requests a second to {stage.url}/")
        with shopping(stage.folder, stage.url, play.rate) as crowd:
            begun_s = time.monotonic()
            try:
                moments = asyncio.run(_perform(stage, play, crowd, say))
            except ProgramError as error:
                raise ProgramError(f"{error}{_last_words(stage)}") from error
        moments = replace(moments, traffic=begun_s, left=time.monotonic())
        receipt = slip(_receipt(stage), crowd.seen(), moments)
        failed = [] if play.kind.is_for_the_judge else failures(crowd.seen())
        faults = [f"failed request: {f.kind} {f.outcome}" for f in failed]
        return receipt, [*faults[:_FAILURES_SHOWN], *_faults(stage, play, receipt)]


def _last_words(stage: Stage) -> str:
    """Give the ends of the logs, which go with the stage."""
    logs = ((name, tail(stage.log(name), 8)) for name in ("server", "box"))
    return "".join(f"\n--- the log of the {name}:\n{text}" for name, text in logs)


def _receipt(stage: Stage) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(stage.bigred("show", "--json").stdout)["receipt"]
    return shown


def _faults(stage: Stage, play: Play, receipt: dict[str, Any]) -> list[str]:
    """Look whether everything ended as it must, in the fleet itself and not in the receipt."""
    faults = []
    if receipt["outcome"] != play.expected:
        faults.append(f"the outcome is {receipt['outcome']}, wanted {play.expected}")
    state = AppState.model_validate_json(stage.bigred("status", "--json").stdout)
    live = SECOND if play.kind is Kind.GOOD else FIRST
    for node in state.nodes:
        if (node.state, node.release) != ("serving", live):
            faults.append(f"{node.name} is {node.state} with {node.release}, wanted {live}")
    if play.kind is not Kind.GOOD:
        refused = stage.bigred("deploy", SECOND)
        if refused.returncode == 0 or f"is {ReleaseStage.BAD}" not in refused.stderr:
            faults.append(f"{SECOND} is not bad: {refused.stderr.strip()}")
    return faults


async def _perform(stage: Stage, play: Play, crowd: Crowd, say: Say) -> Moments:
    async with seated(stage, Reporter(say)) as audience:
        await audience.until(lambda: _is_ready(audience), _READY_S, "box and server are ready")
        await asyncio.sleep(_BEFORE_S)
        say(await asyncio.to_thread(submit, stage, SECOND, play.kind))
        await audience.until(lambda: _waits(audience), _READY_S, f"{SECOND} is the candidate")
        say("the lid is lifted")
        lid_s = time.monotonic()
        stage.set_button("open")
        armed_s = await _answered(audience, Answer.ARMED)
        await audience.until(lambda: audience.is_armed, _ANSWER_S, "the box is armed")
        await asyncio.sleep(_HAND_S)
        say("the button is pushed")
        press_s = time.monotonic()
        stage.set_button("press")
        accepted_s = await _answered(audience, Answer.ACCEPTED)
        await audience.until(lambda: _has_ended(audience), _END_S, "the deployment ended")
        ended_s = time.monotonic()
        stage.set_button("close")
        await asyncio.sleep(_AFTER_S)
        counted = crowd.counts()
        say(f"{counted.requests} requests so far, {counted.failed} failed")
    return Moments(0.0, lid_s, armed_s, press_s, accepted_s, ended_s, 0.0)


@contextlib.asynccontextmanager
async def seated(stage: Stage, reporter: Reporter) -> AsyncIterator[Audience]:
    """Have an audience that reports until the block ends."""
    audience = Audience(reporter.hear)
    listening = asyncio.create_task(audience.listen(stage.broker))
    try:
        yield audience
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def _is_ready(audience: Audience) -> bool:
    box, app = audience.box, audience.app
    return (
        box is not None
        and box.lid is Lid.CLOSED
        and app is not None
        and app.live is not None
        and app.live.version == FIRST
    )


def _waits(audience: Audience) -> bool:
    app = audience.app
    return app is not None and app.candidate is not None and app.candidate.version == SECOND


def _has_ended(audience: Audience) -> bool:
    return bool(audience.app and audience.app.phase and audience.app.phase.is_outcome)


async def _answered(audience: Audience, wanted: Answer) -> float:
    """Wait for the server's next reply; give when it was heard (monotonic seconds)."""
    seen = len(audience.replies)
    await audience.until(lambda: len(audience.replies) > seen, _ANSWER_S, "the server answers")
    at_s, reply = audience.replies[-1]
    if reply.answer is not wanted:
        raise ProgramError(f"the server says {reply.answer}: {reply.reason}")
    return at_s


def write(receipt: dict[str, Any], file: Path) -> None:
    """Write the receipt to a file."""
    file.write_text(json.dumps(receipt, indent=2) + "\n", encoding="utf-8")
