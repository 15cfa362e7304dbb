"""What this box is: what it tells of itself in its retained info."""

import platform
from importlib import metadata
from pathlib import Path

from bigred_broker.messages import BoxInfo

_MODEL = Path("/proc/device-tree/model")


def info(button: str, language: str, capabilities: tuple[str, ...]) -> BoxInfo:
    """Describe this box."""
    return BoxInfo(
        agent=metadata.version("bigred"),
        python=platform.python_version(),
        model=model(),
        button=button,
        language=language,
        capabilities=capabilities,
    )


def model() -> str:
    """Give the machine's name: of a Raspberry Pi its model, else the kind of processor."""
    try:
        return _MODEL.read_text(encoding="utf-8").strip("\0 \n")
    except OSError:
        return f"{platform.system()} {platform.machine()}"
