"""Whether a file fits on a disk, before it is written there."""

import shutil
from pathlib import Path


def shortage(folder: Path, what: str, size: int, spare: int) -> str:
    """Return why `what`, of `size` bytes, does not fit into a folder; "" if it does.

    `spare`: the bytes that must stay free. Raise OSError if the folder can't be read.
    """
    free = shutil.disk_usage(folder).free
    if free >= size + spare:
        return ""
    return (
        f"{folder} has {free >> 20} MiB free; {what} needs {_mib(size)} MiB and {_mib(spare)} MiB "
        "to spare: free some space there"
    )


def _mib(size: int) -> int:
    """Round up: less would not be enough."""
    return -(-size >> 20)
