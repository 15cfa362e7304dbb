"""From the hand to the answer: lid to armed and press to accepted, over many cycles of a button.

    ./bigred bench latency --cycles 50

A stage as the demo's (Mosquitto, HAProxy, two Tomcats, server, box with a simulated button), but
without customers. Each cycle lifts the lid, pushes, and closes the lid within the countdown, which
cancels: each press is accepted and journaled as a deployment, and none touches a node. Measured is
the time from the command to the button until another subscriber hears the answer, the button's
polling included. A cycle takes about a second.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

from bigred_broker.messages import Answer, Lid, Phase
from bigred_server.demo.audience import Audience
from bigred_server.demo.performance import SECOND, seated, submit
from bigred_server.demo.reporter import Reporter
from bigred_server.demo.sample import Kind
from bigred_server.demo.stage import Stage, set_up

MOST_CYCLES = 1000
DEADLINE_S = 15.0
COUNTDOWN_S = 30.0
# What a quick hand needs between two motions; the box debounces whatever is faster.
HAND_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and tell the figures."""
    options = parse(arguments)
    with set_up(2, tell) as stage:
        text = stage.config.read_text()
        stage.config.write_text(text.replace("countdown_s = 0.0", f"countdown_s = {COUNTDOWN_S}"))
        with stage.server(), stage.box():
            armed, accepted = asyncio.run(measure(stage, min(options.cycles, MOST_CYCLES)))
    tell(f"{len(armed)} cycles, in ms        median      p90      p99      max")
    tell(figures("lid to armed", armed))
    tell(figures("press to accepted", accepted))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--cycles", type=int, default=50, help="how many (default 50)")
    return parser.parse_args(arguments)


async def measure(stage: Stage, cycles: int) -> tuple[list[float], list[float]]:
    """Give the milliseconds of each cycle: lid to armed, press to accepted."""
    armed, accepted = [], []
    async with seated(stage, Reporter(lambda _: None)) as audience:
        await audience.until(lambda: lid_is(audience, Lid.CLOSED), DEADLINE_S, "the box is there")
        await asyncio.to_thread(submit, stage, SECOND, Kind.GOOD)
        await audience.until(lambda: waits(audience), DEADLINE_S, f"{SECOND} is the candidate")
        for number in range(1, cycles + 1):
            armed.append(await answered(stage, audience, "open", Answer.ARMED))
            await audience.until(lambda: audience.is_armed, DEADLINE_S, "the box is armed")
            await asyncio.sleep(HAND_S)
            accepted.append(await answered(stage, audience, "press", Answer.ACCEPTED))
            await asyncio.sleep(HAND_S)
            stage.set_button("close")
            await audience.until(
                lambda: is_over(audience) and lid_is(audience, Lid.CLOSED),
                DEADLINE_S,
                "the countdown is cancelled",
            )
            await asyncio.sleep(HAND_S)
            if number % 10 == 0:
                tell(f"{number} of {cycles} cycles")
    return armed, accepted


async def answered(stage: Stage, audience: Audience, word: str, wanted: Answer) -> float:
    """Move the button; give the milliseconds until the wanted answer is heard."""
    seen = len(audience.replies)
    begun_s = time.monotonic()
    stage.set_button(word)
    await audience.until(lambda: len(audience.replies) > seen, DEADLINE_S, f"{word} is answered")
    at_s, reply = audience.replies[-1]
    if reply.answer is not wanted:
        raise SystemExit(f"{word} is answered {reply.answer}: {reply.reason}")
    return (at_s - begun_s) * 1000


def waits(audience: Audience) -> bool:
    """Whether there is something to deploy."""
    return audience.app is not None and audience.app.candidate is not None


def is_over(audience: Audience) -> bool:
    """Whether the last deployment was cancelled and the next can be armed."""
    return waits(audience) and audience.app is not None and audience.app.phase is Phase.ABORTED


def lid_is(audience: Audience, lid: Lid) -> bool:
    """Whether the box has seen the lid so."""
    return audience.box is not None and audience.box.lid is lid


def figures(name: str, values: Sequence[float]) -> str:
    """Write the distribution of one figure."""
    ascending = sorted(values)
    ranks = [ascending[min(len(ascending) - 1, int(len(ascending) * part))] for part in (0.9, 0.99)]
    shown = [statistics.median(ascending), *ranks, ascending[-1]]
    return f"{name:<22}" + "".join(f"{value:9.1f}" for value in shown)


def tell(text: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
