"""Run git and hg over repositories that others write: what those contain must run nothing here.

What counts is the configuration of the server's own user and of the machine, because it may have
the credentials and proxies for reaching a repository. Hooks, monitors and remote helpers are off.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence

from bigred_server import child
from bigred_server.errors import BuildError

_LIMIT_S = 600.0
# A shell that the server was started from may have these set for another repository or Python.
_FOREIGN = re.compile(r"(GIT|HG|PYTHON)")
_OURS = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|PROXY_\w+|HTTP_\w+|TRACE\w*|EXEC_PATH"
    r"|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM)|HGRCPATH"
)
_SAFE_GIT = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "protocol.ext.allow": "never",
}
_WITH_PASSWORD = re.compile(r"(https?://)[^/@]*@([^/]*/)")


def public_url(url: str) -> str:
    """Return the URL of a repository without a user name and password in it."""
    return _WITH_PASSWORD.sub(r"\1\2", url, count=1)


def credentials(url: str) -> Mapping[str, str]:
    """Return the configuration with which git finds the password of `url` for its public one.

    So it appears neither on a command line nor in the checkout that a build reads.
    """
    if found := _WITH_PASSWORD.match(url):
        return {f"url.{found[0]}.insteadOf": found[1] + found[2]}
    return {}


async def git(
    *arguments: str, options: Sequence[str] = (), configuration: Mapping[str, str] | None = None
) -> str:
    """Run git; return its output. Raise BuildError with its error message if it fails."""
    settings = {**_SAFE_GIT, **(configuration or {})}
    # Not as `-c`: everybody on the machine can read a command line.
    given = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0"}
    for number, (key, value) in enumerate(settings.items()):
        given[f"GIT_CONFIG_KEY_{number}"] = key
        given[f"GIT_CONFIG_VALUE_{number}"] = value
    return await _run(("git", *options), arguments, given)


async def hg(*arguments: str, options: Sequence[str] = ()) -> str:
    """Run Mercurial; return its output. Raise BuildError with its error message if it fails."""
    return await _run(("hg", *options), arguments, {"HGPLAIN": "1"})


async def _run(program: Sequence[str], arguments: Sequence[str], more: Mapping[str, str]) -> str:
    name, verb = program[0], arguments[0]
    own = {
        key: value
        for key, value in os.environ.items()
        if _OURS.fullmatch(key) or not _FOREIGN.match(key)
    }
    # The output must not depend on a user's language.
    environment = {**own, "LC_ALL": "C.UTF-8", **more}
    try:
        async with asyncio.timeout(_LIMIT_S):
            done = await child.captured(
                *program, *arguments, environment=environment, with_stderr=True
            )
    except TimeoutError as error:
        raise BuildError(f"{name} did not finish within {_LIMIT_S:g} s") from error
    except OSError as error:
        raise BuildError(f"{name} can't be run: {error.strerror}; install it") from error
    if done.code != 0:
        reason = " ".join(done.stderr.split())[-500:]
        raise BuildError(f"{name} {verb} failed: {reason or f'exit code {done.code}'}")
    return done.stdout
