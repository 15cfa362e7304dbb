"""Runs the doctor's checks, and formats its report for people."""

import asyncio
from collections.abc import Sequence

from bigred_agent.doctor.finding import Finding
from bigred_agent.doctor.hardware import button, lights
from bigred_agent.doctor.network import network
from bigred_agent.doctor.voice import voice
from bigred_agent.settings import AgentSettings


def examine(settings: AgentSettings) -> list[Finding]:
    """Check everything a box needs. Takes some seconds."""
    return [*hardware(settings), *asyncio.run(network(settings.broker, settings.box.name))]


def hardware(settings: AgentSettings) -> list[Finding]:
    """Check the box's hardware, while no agent uses it."""
    return [*button(settings.button), lights(settings.lights), *voice(settings.voice)]


def as_text(findings: Sequence[Finding]) -> str:
    """Return one line per finding, followed by its fix."""
    width = max(len(finding.subject) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        mark = "ok " if finding.is_ok else "FIX"
        lines.append(f"{mark}  {finding.subject:<{width}}  {finding.seen}")
        if not finding.is_ok:
            lines.append(f"{'':5}{'':<{width}}  -> {finding.fix}")
    problems = sum(not finding.is_ok for finding in findings)
    lines.append(f"Problems: {problems}." if problems else "All is well.")
    return "\n".join(lines)
