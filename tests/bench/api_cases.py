"""Whether every answer of the HTTP API is described: thousands of generated requests by each role.

    ./bigred bench api_cases --examples 60

They go to a server on this machine that has releases, a deployment and webhooks, but neither
HAProxy nor a broker. It stops at the first role with an answer that its description does not have.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.api_cases import CALLERS, run, site_of

MOST_EXAMPLES = 10_000
DEADLINE_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the requests, and print how many."""
    parser = argparse.ArgumentParser(prog="./bigred bench api_cases", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--examples", type=int, default=60, help="of each route (default 60)")
    examples = max(1, min(parser.parse_args(arguments).examples, MOST_EXAMPLES))
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        site = site_of(Path(folder))
        with site.listening():
            for caller in CALLERS:
                for known in (True, False):
                    count = run(site, caller, examples, DEADLINE_S, known=known)
                    report(f"{caller or 'no token':<10}{'known' if known else 'any':<8}{count:>7}")
                    total += count
        tracebacks = site.log().count("Traceback")
    report(f"{total} requests, all answers are described; {tracebacks} tracebacks in the log")
    return 1 if tracebacks else 0


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
