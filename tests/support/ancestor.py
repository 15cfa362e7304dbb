"""What Bigred replaces: tests/bench/ancestor.sh, behind a HAProxy that has only its defaults."""

import os
import re
import shlex
import signal
from pathlib import Path

from tests.support.rig import wait_rarely

from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

_SCRIPT = Path(__file__).parents[1] / "bench" / "ancestor.sh"
# The settings that keep requests from being lost, and are not HAProxy's defaults.
_RECIPE = re.compile(
    r"\s*(retries|option redispatch|retry-on|option idle-close-on-response|default-server"
    r"|http-request disable-l7-retry)\b"
)


def plain(haproxy: HaproxyInstance) -> None:
    """Reload HAProxy without the settings that keep requests from being lost."""
    file = haproxy.folder / "haproxy.cfg"
    kept = [line for line in file.read_text().splitlines() if not _RECIPE.match(line)]
    file.write_text("\n".join(kept) + "\n")
    old = haproxy.log.stat().st_size
    os.kill(int((haproxy.folder / "haproxy.pid").read_text()), signal.SIGUSR2)
    wait_rarely(
        lambda: b"Loading success" in haproxy.log.read_bytes()[old:], 20, "HAProxy is plain"
    )


def command(flag: Path, war: Path, tomcats: dict[str, TomcatInstance], folder: Path) -> list[str]:
    """Return the script's argument list; the Tomcats are laid out for it in `folder`."""
    nodes = [_laid_out(folder / name, tomcat) for name, tomcat in tomcats.items()]
    return [str(part) for part in ("sh", _SCRIPT, flag, war, *nodes)]


def _laid_out(folder: Path, tomcat: TomcatInstance) -> Path:
    folder.mkdir(exist_ok=True)
    for verb in ("stop", "start"):
        script = folder / f"{verb}.sh"
        script.write_text(f"#!/bin/sh\nexec {shlex.join(getattr(tomcat, f'{verb}_command'))}\n")
        script.chmod(0o755)
    webapps = folder / "webapps"
    webapps.unlink(missing_ok=True)
    webapps.symlink_to(tomcat.webapps)
    return folder
