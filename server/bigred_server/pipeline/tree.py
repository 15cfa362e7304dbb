"""Give away and remove folders that a build has filled, however deep and whatever is in them.

The programs of the system do it: Python's own functions end at about a thousand folders in each
other, which a build can make. Neither follows links.
"""

from pathlib import Path

from bigred_server import child
from bigred_server.errors import BuildError


async def give(folder: Path, uid: int, gid: int) -> None:
    """Make a user and a group the owners of a folder and all in it. Raise BuildError."""
    await _run("chown", "-R", "-P", "-h", f"{uid}:{gid}", "--", str(folder))


async def remove(*paths: Path) -> None:
    """Remove files and folders if they exist. Raise BuildError if one can't be removed."""
    present = [str(path) for path in paths if path.is_symlink() or path.exists()]
    if not present:
        return
    try:
        await _run("rm", "-rf", "--", *present)
    except BuildError:
        # A folder that may not be changed, such as those of Go's modules, unless we are root.
        await _run("chmod", "-R", "u+rwX", "--", *present)
        await _run("rm", "-rf", "--", *present)


async def _run(*argv: str) -> None:
    try:
        done = await child.captured(*argv, with_stderr=True)
    except OSError as error:
        raise BuildError(f"{argv[0]} can't be run: {error.strerror}; install coreutils") from error
    if done.code != 0:
        raise BuildError(f"{argv[0]} failed: {' '.join(done.stderr.split())[-500:]}")
