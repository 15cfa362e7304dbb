"""What looks at a fleet cost the process that looks; run in a process of its own.

    python -m tests.support.look_cost CONFIG LOOKS

It looks at the first app of the configuration, and prints a line of JSON for each look.
"""

import asyncio
import json
import selectors
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.crowd import LIVE, NEXT

from bigred_server.artifacts.files import digest_of
from bigred_server.fleet.opened import opened
from bigred_server.model.release import Release, Stage
from bigred_server.settings import load

# Within a second, the answer of an app in service is not asked for again.
_PAUSE_S = 1.1


@dataclass(frozen=True)
class Cost:
    """The milliseconds of one look: by the clock, of the loop, of the processor."""

    wall_ms: float
    loop_ms: float
    processor_ms: float


class WaitingSelector(selectors.EpollSelector):
    """A selector that counts the seconds it has waited; the loop is busy for the rest."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for an event."""
        begun_s = time.perf_counter()
        try:
            return super().select(timeout)
        finally:
            self.waited_s += time.perf_counter() - begun_s


async def looks(config: Path, count: int, selector: WaitingSelector) -> None:
    """Look, and print what each look cost; the first one, which reads every WAR, is not told."""
    settings = load(config)
    app = next(iter(settings.fleets))
    known = [
        Release(app, digest_of(config.parent / f"{version}.war"), version, version, stage, 1.0)
        for version, stage in ((LIVE, Stage.LIVE), (NEXT, Stage.READY))
    ]
    async with opened(settings, app, known) as fleet:
        for number in range(count + 1):
            wall_s, used_s, waited_s = time.perf_counter(), time.process_time(), selector.waited_s
            seen = await fleet.look(deep=True)
            wall_s = time.perf_counter() - wall_s
            used_s, waited_s = time.process_time() - used_s, selector.waited_s - waited_s
            bad = [
                one for one in seen.nodes.values() if one.answer.marker != LIVE or not one.pool.up
            ]
            if bad or seen.problem:
                raise SystemExit(f"a look fails: {seen.problem} {bad[:1]}")
            if number:
                cost = Cost(1000 * wall_s, 1000 * (wall_s - waited_s), 1000 * used_s)
                sys.stdout.write(f"{json.dumps(asdict(cost))}\n")
            await asyncio.sleep(_PAUSE_S)


def main(arguments: Sequence[str]) -> None:
    """Look."""
    config, count = arguments
    selector = WaitingSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(looks(Path(config), int(count), selector))


if __name__ == "__main__":
    main(sys.argv[1:])
