"""Demo runs in a row, each on its own demo site: how fast they are, and whether requests are lost.

    ./bigred bench demo_runs --runs 20

Each run takes about 20 s. A run that ends wrongly is reported immediately, and makes the exit code
1. `overhead` is the time of a node's update less drain, stop and start: warm-up, smoke tests,
HAProxy's check, and what the server's loop adds between the steps.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # a receipt is JSON

BIGRED = Path(sys.executable).with_name("bigred")
RUN_DEADLINE_S = 300.0
MOST_RUNS = 1000
KINDS = ("does-not-start", "answers-500", "wrong-release")

Receipt = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; print a line for each run, and the overall figures."""
    options = parse(arguments)
    receipts: list[Receipt] = []
    faults = 0
    report("run  outcome      requests  failed  retried  seconds  armed ms  accepted ms")
    for number in range(1, min(options.runs, MOST_RUNS) + 1):
        receipt, said = play(options)
        if receipt is None or said:
            faults += 1
            report(f"{number:3}  FAULT: {said or 'no receipt'}")
        if receipt is not None:
            receipts.append(receipt)
            report(line(number, receipt))
            if options.lines:
                report(json.dumps(receipt))
    for given in summary(receipts):
        report(given)
    return 1 if faults or len(receipts) < options.runs else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench demo_runs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=250.0, help="requests per second")
    parser.add_argument("--bad", choices=KINDS, help="submit a bad release of this kind")
    parser.add_argument("--lines", action="store_true", help="also print each receipt")
    return parser.parse_args(arguments)


def play(options: argparse.Namespace) -> tuple[Receipt | None, str]:
    """Run the demo once; return its receipt, and what it found wrong."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "receipt.json"
        command = [str(BIGRED), "demo", "--once", "--json", str(file)]
        command += ["--nodes", str(options.nodes), "--rate", str(options.rate)]
        command += ["--bad", options.bad] if options.bad else []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=RUN_DEADLINE_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"not done in {RUN_DEADLINE_S:g} s"
        receipt: Receipt | None = json.loads(file.read_text()) if file.exists() else None
        return receipt, done.stderr.strip() if done.returncode else ""


def line(number: int, receipt: Receipt) -> str:
    """Format one run."""
    return (
        f"{number:3}  {receipt['outcome']:<11}  {receipt['requests']:8}  {receipt['failed']:6}  "
        f"{receipt['retried']:7}  {receipt['seconds']:7.2f}  {receipt['lid_to_armed_ms']:8.1f}  "
        f"{receipt['press_to_accepted_ms']:11.1f}"
    )


def summary(receipts: Sequence[Receipt]) -> list[str]:
    """Format the figures of all runs."""
    if not receipts:
        return ["no receipt at all"]
    nodes = [node for receipt in receipts for node in receipt["per_node"] if node["seconds"]]
    lines = [
        "",
        f"{len(receipts)} runs: {sum(r['requests'] for r in receipts)} requests, "
        f"{sum(r['failed'] for r in receipts)} failed",
        "                          median      max",
    ]
    for key in ("lid_to_armed_ms", "press_to_accepted_ms", "seconds"):
        lines.append(figures(key, [receipt[key] for receipt in receipts]))
    for key in ("seconds", "drain_s", "stop_s", "start_s", "check_s"):
        lines.append(figures(f"node {key}", [node[key] for node in nodes]))
    lines.append(figures("node overhead s", [overhead(node) for node in nodes]))
    for span in ("before", "during", "after"):
        for part in ("p50", "p99", "max"):
            values = [receipt["latency_ms"][span][part] for receipt in receipts]
            lines.append(figures(f"{part} ms {span}", values))
    return lines


def overhead(node: dict[str, float]) -> float:
    """Return a node's seconds less drain, stop and start."""
    return node["seconds"] - node["drain_s"] - node["stop_s"] - node["start_s"]


def figures(name: str, values: Sequence[float]) -> str:
    """Format median and maximum of one figure."""
    return f"{name:<24} {statistics.median(values):8.3f} {max(values):8.3f}"


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
