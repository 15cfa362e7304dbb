"""The check of the hook in an app's repository: it is still there, and nothing waits beside it."""

import json
import os
from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.hook import hgrc, messenger
from bigred_server.hook.owner import owner_of
from bigred_server.hook.post_receive import is_ours
from bigred_server.hook.repository import CUSTOM_HOOKS, POST_RECEIVE
from bigred_server.settings.build import BuildSettings, Vcs

_CODE = "hook"


def check(app: str, build: BuildSettings) -> list[Finding]:
    """Check the hook that `bigred hook install` once put into a repository on this machine.

    A repository without one, or on another machine, submits its pushes in another way.
    """
    repository = Path(build.repository.removeprefix("file://"))
    where = f"{app}, hook in {repository}"
    try:
        folders = (repository / ".git", repository / ".hg", repository)
        inner = next((one for one in folders if (one / messenger.CONFIG).is_file()), None)
        if inner is None:
            return []
        problem = _in_hgrc(inner) if build.vcs is Vcs.HG else _in_git(inner)
        queued = len(list((inner / messenger.SPOOL).glob("*.json")))
    except (OSError, ValueError, KeyError) as error:
        text, fix = f"it can't be read: {error}", "run doctor as the owner of the repository"
        return [Finding(_CODE, Severity.UNKNOWN, where, text, fix)]
    if problem:
        fix = f"install it again: bigred hook install {build.vcs} {repository} --app {app}"
        return [Finding(_CODE, Severity.WARN, where, f"pushes are not submitted: {problem}", fix)]
    if queued:
        text = f"{queued} of its pushes could not be submitted yet"
        fix = f"submit them: bigred hook flush {repository}"
        return [Finding(_CODE, Severity.WARN, where, text, fix)]
    return [Finding(_CODE, Severity.OK, where, "every push is submitted")]


def _in_git(inner: Path) -> str:
    config = json.loads((inner / messenger.CONFIG).read_text(encoding="utf-8"))
    hook = inner / config["hook"]
    if not hook.exists():
        return f"{hook} is gone"
    if not is_ours(hook):
        return f"{hook} has been replaced since, perhaps by an update of the forge"
    runner = _runner(hook)
    if not runner.exists():
        return f"nothing runs {hook}: the forge's own {runner} is gone"
    idle = next((one for one in (hook, runner) if not os.access(one, os.X_OK)), None)
    return f"{idle} is not executable, so it is not run" if idle else ""


def _runner(hook: Path) -> Path:
    """Return the file that git runs: the hook itself, or a forge's that runs it as a part."""
    if hook.name == POST_RECEIVE or hook.parents[1].name == CUSTOM_HOOKS:
        return hook
    folder = hook.parents[1] if hook.parent.name == f"{POST_RECEIVE}.d" else hook.parent
    return folder / POST_RECEIVE


def _in_hgrc(inner: Path) -> str:
    file = inner / "hgrc"
    if not file.exists() or not hgrc.has_hook(file.read_text("utf-8", "surrogateescape")):
        return f"{file} has no line {hgrc.KEY} any more"
    owner, pusher = owner_of(file), owner_of(inner)
    if owner.uid != pusher.uid:
        return f"{file} belongs to {owner.name}, not to {pusher.name}: Mercurial does not trust it"
    return ""
