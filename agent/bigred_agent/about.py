"""The box's description of itself, for its retained info."""

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bigred_agent.doctor.finding import Finding
from bigred_broker.messages import BoxInfo

_MODEL = Path("/proc/device-tree/model")
_LONGEST_PROBLEM = 200


def info(
    button: str,
    language: str,
    capabilities: tuple[str, ...],
    findings: Sequence[Finding] | None = None,
) -> BoxInfo:
    """Describe this box. `findings`: the doctor's, of which the problems are included, or None."""
    problems = None
    if findings is not None:
        problems = tuple(
            f"{one.subject}: {one.seen}; {one.fix}"[:_LONGEST_PROBLEM]
            for one in findings
            if not one.is_ok
        )
    return BoxInfo(
        agent=metadata.version("bigred"),
        python=platform.python_version(),
        model=model(),
        button=button,
        language=language,
        capabilities=capabilities,
        to_mend=problems,
    )


def model() -> str:
    """Return the model of a Raspberry Pi, or system and processor of another machine."""
    try:
        return _MODEL.read_text(encoding="utf-8").strip("\0 \n")
    except OSError:
        return f"{platform.system()} {platform.machine()}"
