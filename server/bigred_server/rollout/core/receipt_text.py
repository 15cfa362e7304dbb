"""A receipt as people read it, in the terminal and on its page. Pure."""

from collections.abc import Mapping
from typing import Any  # a receipt is JSON

from bigred_broker.messages import Phase
from bigred_server.judge.policy import Mode
from bigred_server.rollout.core import verdict_text

TIMES = ("node", "seconds", "drain", "stop", "start", "check")


def summary(receipt: Mapping[str, Any]) -> list[str]:
    """Return the sentences of a receipt, the outcome first."""
    lines = [
        f"{receipt['app']} {receipt['release']}: {_outcome(receipt)} {_where(receipt)} "
        f"in {receipt['seconds']:.1f} s, by {receipt['who']}{_reason(receipt)}",
        requests_text(receipt),
    ]
    if stored := receipt.get("judgement"):
        judgement = verdict_text.from_json(stored)
        lines.append(
            f"{verdict_text.full_text(judgement, Mode.OFF)}; {verdict_text.detectable(judgement)}"
        )
    if receipt["skipped"]:
        lines.append(f"skipped (not in service): {', '.join(receipt['skipped'])}")
    if receipt["set_aside"]:
        lines.append(f"set aside (failed): {', '.join(receipt['set_aside'])}")
    return lines


def of_job(receipt: Mapping[str, Any]) -> str:
    """Return the outcome of a deployment by Jenkins as a sentence."""
    return (
        f"{receipt['app']} {receipt['release']}: {_outcome(receipt)} "
        f"in {receipt['seconds']:.1f} s, by {receipt['who']}{_reason(receipt)}"
    )


def times(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a node took, under the heads of `TIMES`."""
    if not node["seconds"]:
        return (node["name"], "-", "-", "-", "-", "-")
    seconds = (node[key] for key in ("seconds", "drain_s", "stop_s", "start_s", "check_s"))
    return (node["name"], *(f"{one:.2f}" for one in seconds))


def _outcome(receipt: Mapping[str, Any]) -> str:
    return str(receipt["outcome"]).replace("_", " ")


def _reason(receipt: Mapping[str, Any]) -> str:
    return f" ({receipt['reason']})" if receipt["reason"] else ""


def requests_text(receipt: Mapping[str, Any]) -> str:
    """Say what was counted, where, and whose requests are not."""
    # Receipts of earlier versions don't have these.
    unit, backends = receipt.get("unit", "requests"), receipt.get("backends", ())
    where = f" in {', '.join(backends)}" if len(backends) > 1 else ""
    text = (
        f"{receipt['requests']} {unit} during the deployment{where}: {receipt['failed']} failed, "
        f"{receipt['retried']} retried"
    )
    if unit != "requests":
        text += "; HAProxy sees no requests in TCP mode, so more of them may have failed"
    if cut := receipt.get("cut"):
        text += f"; requests in flight on {', '.join(cut)} were cut and are not all counted"
    if unmanaged := receipt.get("unmanaged"):
        text += f"; the users of {', '.join(unmanaged)} are not counted"
    return text


def _where(receipt: Mapping[str, Any]) -> str:
    """Say on how many nodes it really happened."""
    total, is_live = receipt["nodes"], receipt["outcome"] == Phase.SUCCEEDED
    # Receipts of earlier versions don't have it.
    touched = receipt.get("touched", total)
    count = total - len(receipt["set_aside"]) if is_live else touched
    if not count:
        return "before any node was touched"
    noun = "node" if total == 1 else "nodes"
    return f"on {total} {noun}" if count == total else f"on {count} of {total} {noun}"
