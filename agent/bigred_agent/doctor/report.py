"""The doctor's rounds, and its report for people."""

import asyncio
from collections.abc import Sequence

from bigred_agent.doctor.finding import Finding
from bigred_agent.doctor.hardware import button, lights
from bigred_agent.doctor.network import network
from bigred_agent.doctor.voice import voice
from bigred_agent.settings import AgentSettings


def examine(settings: AgentSettings) -> list[Finding]:
    """Look at everything a box needs. Takes some seconds."""
    return [*hardware(settings), *asyncio.run(network(settings.broker))]


def hardware(settings: AgentSettings) -> list[Finding]:
    """Look at what is in and at the box, while no agent holds it."""
    return [*button(settings.button), lights(settings.lights), *voice(settings.voice)]


def as_text(findings: Sequence[Finding]) -> str:
    """Give a line a finding, its mend below it."""
    width = max(len(finding.subject) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        mark = "ok  " if finding.is_well else "MEND"
        lines.append(f"{mark}  {finding.subject:<{width}}  {finding.seen}")
        if not finding.is_well:
            lines.append(f"{'':6}{'':<{width}}  -> {finding.mend}")
    wrong = sum(not finding.is_well for finding in findings)
    lines.append("All is well." if not wrong else f"To be mended: {wrong}.")
    return "\n".join(lines)
