"""From hand to answer: lid to armed and press to accepted, over many cycles of a button.

    ./bigred bench latency --cycles 50

A site like the demo's (Mosquitto, HAProxy, two Tomcats, server, box with simulated button), but
without customers. Each cycle lifts the lid, pushes, and closes the lid within the countdown, which
cancels: each press is accepted and journaled as a deployment, and none touches a node. The figures
are the time from the command to the button until another subscriber receives the answer, including
the button's polling. A cycle takes about a second.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

from bigred_broker.messages import Answer, Lid, Phase
from bigred_server.demo.demo_site import DemoSite, set_up
from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import SECOND, submit, subscribed
from bigred_server.demo.subscriber import Subscriber

MOST_CYCLES = 1000
DEADLINE_S = 15.0
COUNTDOWN_S = 30.0
# The time that a fast hand needs between two motions; the box debounces anything faster.
HAND_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    options = parse(arguments)
    with set_up(2, report) as demo_site:
        text = demo_site.config.read_text()
        demo_site.config.write_text(
            text.replace("countdown_s = 0.0", f"countdown_s = {COUNTDOWN_S}")
        )
        with demo_site.server(), demo_site.box():
            armed, accepted = asyncio.run(measure(demo_site, min(options.cycles, MOST_CYCLES)))
    report(f"{len(armed)} cycles, in ms        median      p90      p99      max")
    report(figures("lid to armed", armed))
    report(figures("press to accepted", accepted))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--cycles", type=int, default=50, help="how many (default 50)")
    return parser.parse_args(arguments)


async def measure(demo_site: DemoSite, cycles: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each cycle: lid to armed, press to accepted."""
    armed, accepted = [], []
    async with subscribed(demo_site, lambda _: None) as subscriber:
        await subscriber.until(
            lambda: lid_is(subscriber, Lid.CLOSED), DEADLINE_S, "the box is there"
        )
        await asyncio.to_thread(submit, demo_site, SECOND, BuildKind.GOOD)
        await subscriber.until(
            lambda: is_waiting(subscriber), DEADLINE_S, f"{SECOND} is the candidate"
        )
        for number in range(1, cycles + 1):
            armed.append(await answered(demo_site, subscriber, "open", Answer.ARMED))
            await subscriber.until(lambda: subscriber.is_armed, DEADLINE_S, "the box is armed")
            await asyncio.sleep(HAND_S)
            accepted.append(await answered(demo_site, subscriber, "press", Answer.ACCEPTED))
            await asyncio.sleep(HAND_S)
            demo_site.set_button("close")
            await subscriber.until(
                lambda: is_over(subscriber) and lid_is(subscriber, Lid.CLOSED),
                DEADLINE_S,
                "the countdown is cancelled",
            )
            await asyncio.sleep(HAND_S)
            if number % 10 == 0:
                report(f"{number} of {cycles} cycles")
    return armed, accepted


async def answered(demo_site: DemoSite, subscriber: Subscriber, word: str, wanted: Answer) -> float:
    """Move the button; return the milliseconds until the wanted answer is received."""
    seen = len(subscriber.replies)
    begun_s = time.monotonic()
    demo_site.set_button(word)
    await subscriber.until(
        lambda: len(subscriber.replies) > seen, DEADLINE_S, f"{word} is answered"
    )
    at_s, reply = subscriber.replies[-1]
    if reply.answer is not wanted:
        raise SystemExit(f"{word} is answered {reply.answer}: {reply.reason}")
    return (at_s - begun_s) * 1000


def is_waiting(subscriber: Subscriber) -> bool:
    """Return whether there is something to deploy."""
    return subscriber.app is not None and subscriber.app.candidate is not None


def is_over(subscriber: Subscriber) -> bool:
    """Return whether the last deployment was cancelled and the next can be armed."""
    return (
        is_waiting(subscriber)
        and subscriber.app is not None
        and subscriber.app.phase is Phase.ABORTED
    )


def lid_is(subscriber: Subscriber, lid: Lid) -> bool:
    """Return whether the box reports this state of the lid."""
    return subscriber.box is not None and subscriber.box.lid is lid


def figures(name: str, values: Sequence[float]) -> str:
    """Format the distribution of one figure."""
    ascending = sorted(values)
    ranks = [ascending[min(len(ascending) - 1, int(len(ascending) * part))] for part in (0.9, 0.99)]
    shown = [statistics.median(ascending), *ranks, ascending[-1]]
    return f"{name:<22}" + "".join(f"{value:9.1f}" for value in shown)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
