"""How fast the command line is: from the start of a verb until it has ended.

    ./bigred bench startup --runs 15
    ./bigred bench startup --against ../other-checkout
    ./bigred bench startup --imports status

On a site with a journal, HAProxy and four nodes; these are fakes in this process, and answer at
once. Each run begins with the same journal. `--against` runs each verb in turn with this checkout's
code and with another's, so that both meet the same noise of the machine.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.terminal_site import TerminalSite, terminal_site

MOST_RUNS = 1000
DEADLINE_S = 60.0
HERE = Path(__file__).parents[2]
PACKAGES = ("server", "agent", "broker")
TOP = 25

VERBS: Mapping[str, Sequence[str]] = {
    "python -c pass": ("-c", "pass"),
    "bigred --help": ("-m", "bigred_server", "--help"),
    "bigred config drain_s": ("-m", "bigred_server", "config", "drain_s"),
    "bigred status": ("-m", "bigred_server", "status"),
    "bigred deploy --no-wait": ("-m", "bigred_server", "deploy", "--no-wait"),
    "bigred submit WAR": ("-m", "bigred_server", "submit", "WAR", "--version", "1.2.0"),
    "bigred release list": ("-m", "bigred_server", "release", "list"),
    "bigred show": ("-m", "bigred_server", "show"),
    "bigred-agent --help": ("-c", "from bigred_agent.cli import main; main()", "--help"),
}
MOST_MS = {"bigred status": 500.0, "bigred deploy --no-wait": 600.0}


@dataclass(frozen=True)
class Taken:
    """The milliseconds of one run: by the clock, and of the processor."""

    wall_ms: float
    processor_ms: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures; return 1 if this checkout falls short."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as name, terminal_site(Path(name)) as site:
        if options.imports:
            return imports(site, options.imports)
        checkouts = {"": HERE, **({"against": options.against} if options.against else {})}
        report(f"{options.runs} runs each, in ms      {'median':>19} {'fastest':>8} {'slowest':>8}")
        slow = [verb for verb in VERBS if measure(site, verb, checkouts, options.runs)]
    return 1 if slow else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench startup", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=15, help="of each verb (default 15)")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--imports", metavar="VERB", help="list the slowest imports of one verb")
    options = parser.parse_args(arguments)
    options.runs = max(1, min(options.runs, MOST_RUNS))
    return options


def measure(site: TerminalSite, verb: str, checkouts: Mapping[str, Path], runs: int) -> bool:
    """Run a verb repeatedly with each checkout, print what it took; return whether it is slow."""
    taken: dict[str, list[Taken]] = {name: [] for name in checkouts}
    for number in range(runs + 1):
        for name, checkout in checkouts.items():
            one = run(site, verb, checkout)
            if number:  # the first one only compiles
                taken[name].append(one)
    middle_ms = statistics.median(one.wall_ms for one in taken[""])
    is_slow = middle_ms > MOST_MS.get(verb, float("inf"))
    for name, values in taken.items():
        row = figures(f"{verb} {name}".rstrip(), [one.wall_ms for one in values])
        report(f"{row}{f'  falls short of {MOST_MS[verb]:.0f}' if is_slow and not name else ''}")
        report(figures("  processor", [one.processor_ms for one in values]))
    return is_slow


def run(site: TerminalSite, verb: str, checkout: Path) -> Taken:
    """Run a verb once, from the same journal each time."""
    restored(site)
    used_s, begun_s = children_s(), time.monotonic()
    python(site, verb, checkout)
    return Taken((time.monotonic() - begun_s) * 1000, (children_s() - used_s) * 1000)


def children_s() -> float:
    """Return the processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def python(site: TerminalSite, verb: str, checkout: Path, *options: str) -> str:
    """Run a verb; return what it writes to stderr. Exit if it fails."""
    words = [str(site.war) if word == "WAR" else word for word in VERBS[verb]]
    done = subprocess.run(
        [sys.executable, *options, *words],
        env={
            **os.environ,
            "BIGRED_CONFIG": str(site.config),
            "PYTHONPATH": os.pathsep.join(str(checkout / package) for package in PACKAGES),
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{verb} failed: {done.stderr}")
    return done.stderr


def restored(site: TerminalSite) -> None:
    """Put the journal back as it was in the beginning; keep it so the first time."""
    journal = site.config.parent / "state" / "bigred.db"
    kept = journal.with_suffix(".kept")
    if not kept.exists():
        shutil.copy(journal, kept)
    for file in journal.parent.glob("bigred.db*"):
        file.unlink()
    shutil.copy(kept, journal)


def imports(site: TerminalSite, verb: str) -> int:
    """Print the imports of a verb that take longest, with and without what they import."""
    name = f"bigred {verb}" if f"bigred {verb}" in VERBS else verb
    if name not in VERBS:
        report(f"no verb {verb!r}; available: {', '.join(VERBS)}")
        return 2
    for options in ((), ("-X", "importtime")):  # the first run only compiles
        restored(site)
        written = python(site, name, HERE, *options)
    lines = written.splitlines()
    found = [line.removeprefix("import time:").split("|") for line in lines if line.count("|") == 2]
    rows = [(int(own), int(all_), module.strip()) for own, all_, module in found[1:]]
    report(f"{len(rows)} modules, {sum(own for own, _, _ in rows) / 1000:.0f} ms")
    report(f"{'alone':>8} {'with all':>9}  (ms)")
    for own, all_, module in sorted(rows, reverse=True)[:TOP]:
        report(f"{own / 1000:8.1f} {all_ / 1000:9.1f}  {module}")
    return 0


def figures(name: str, values: Sequence[float]) -> str:
    """Format the distribution of one figure."""
    shown = [statistics.median(values), min(values), max(values)]
    return f"{name:<38}" + "".join(f"{value:9.0f}" for value in shown)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
