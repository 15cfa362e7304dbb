"""What this box is: what it tells of itself in its retained info."""

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bigred_agent.doctor.finding import Finding
from bigred_broker.messages import BoxInfo

_MODEL = Path("/proc/device-tree/model")


_TOLD = 200


def info(
    button: str,
    language: str,
    capabilities: tuple[str, ...],
    findings: Sequence[Finding] | None = None,
) -> BoxInfo:
    """Describe this box; of what the doctor found, what is to be mended (None: it did not look)."""
    ill = None
    if findings is not None:
        ill = tuple(
            f"{one.subject}: {one.seen}; {one.mend}"[:_TOLD] for one in findings if not one.is_well
        )
    return BoxInfo(
        agent=metadata.version("bigred"),
        python=platform.python_version(),
        model=model(),
        button=button,
        language=language,
        capabilities=capabilities,
        to_mend=ill,
    )


def model() -> str:
    """Give the machine's name: of a Raspberry Pi its model, else the kind of processor."""
    try:
        return _MODEL.read_text(encoding="utf-8").strip("\0 \n")
    except OSError:
        return f"{platform.system()} {platform.machine()}"
