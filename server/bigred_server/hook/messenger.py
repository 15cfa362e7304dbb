"""Submit pushed commits to the server, without delaying a push or making it fail.

A separate program that uses only the standard library, to run on the Python of any repository's
machine: git's post-receive hook runs it, and Mercurial calls `changegroup` in its own process.
Commits that the server does not accept at once stay in a spool folder next to the repository, for
the next push or `bigred hook flush`. Submitting a commit twice does no harm.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any  # Mercurial's objects are untyped

# The longest delay of a push.
TIMEOUT_S = 0.7
# Stored next to the repository; Messenger lists its keys.
CONFIG = "bigred-hook.json"
# The folder of queued commits, beside it.
SPOOL = "bigred-spool"
# The second argument by which the installer asks for a check.
CHECK = "--check"
# The server's limit per request.
MOST = 100
_ACCEPTED = 202
_REFUSED = (404, 409, 422)


class Messenger:
    """Submits commits. `config`: the path of the JSON file that `bigred hook install` wrote.

    Its keys: `url` of the server, `app`, `token_file`, and `spool`, the folder of queued commits,
    relative to the file.
    """

    def __init__(self, config: str | Path) -> None:
        settings = json.loads(Path(config).read_text(encoding="utf-8"))
        self.url: str = settings["url"]
        self.app: str = settings["app"]
        self.token_file = Path(settings["token_file"])
        self.spool = Path(config).parent / settings["spool"]

    def submit(self, pushed: Sequence[tuple[str, str]], who: str) -> str:
        """Submit (branch, commit) pairs and all queued ones; return a line for the pusher."""
        self._queue(pushed, who)
        return self.flush()

    def flush(self, timeout_s: float = TIMEOUT_S) -> str:
        """Submit the queued commits; return a line with the result, "" if none were queued."""
        waiting = self.waiting()
        if not waiting:
            return ""
        answer: list[tuple[int, str]] = []
        # Name resolution has no time limit, so it runs in a thread that can be abandoned.
        thread = threading.Thread(target=self._try, args=(waiting, answer, timeout_s), daemon=True)
        thread.start()
        thread.join(timeout_s)
        status, text = answer[0] if answer else (0, f"no answer within {timeout_s:g} s")
        if status == _ACCEPTED:
            for path in waiting:
                path.unlink(missing_ok=True)
            return text
        if status in _REFUSED:
            # The server will never accept it: tell the pusher, and do not retry on the next push.
            for path in waiting:
                with contextlib.suppress(FileNotFoundError):
                    path.replace(path.with_suffix(".refused"))
            return f"{self.app} was NOT submitted: {text}"
        queued = "1 push is" if len(waiting) == 1 else f"{len(waiting)} pushes are"
        return f"{queued} queued for the next push or `bigred hook flush`: {text}"

    def check(self) -> None:
        """Raise OSError if this user could not submit or queue a commit."""
        self.token_file.read_bytes()
        if not os.access(self.spool, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"can't write in {self.spool}")

    def waiting(self) -> list[Path]:
        """List the files of queued commits, oldest first, at most as many as fit one request."""
        return sorted(self.spool.glob("*.json"))[:MOST]

    def _queue(self, pushed: Sequence[tuple[str, str]], who: str) -> None:
        self.spool.mkdir(parents=True, exist_ok=True)
        for number, (branch, commit) in enumerate(pushed):
            new = self.spool / f"{time.time_ns():020}-{os.getpid():07}-{number:05}.new"
            queued = {"branch": _encodable(branch), "commit": commit, "who": _encodable(who)}
            new.write_text(json.dumps(queued), encoding="utf-8")
            new.replace(new.with_suffix(".json"))

    def _try(
        self, waiting: Sequence[Path], answer: list[tuple[int, str]], timeout_s: float
    ) -> None:
        try:
            answer.append(self._post(waiting, timeout_s))
        except Exception as error:
            # No error may make the push fail.
            answer.append((0, f"{type(error).__name__} {error}"))

    def _post(self, waiting: Sequence[Path], timeout_s: float) -> tuple[int, str]:
        commits = [found for found in map(_read, waiting) if found]
        token = self.token_file.read_text(encoding="utf-8").strip()
        url = urllib.parse.urlsplit(self.url)
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        # Longer than the caller waits, so that only one message reports a timeout.
        connection = kind(url.hostname or "", url.port, timeout=timeout_s + 1)
        path = f"{url.path.rstrip('/')}/api/v1/apps/{urllib.parse.quote(self.app)}/commits"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        try:
            connection.request("POST", path, json.dumps({"commits": commits}), headers)
            response = connection.getresponse()
            body = json.loads(response.read(65536).decode("utf-8"))
        finally:
            connection.close()
        return response.status, str(body.get("text") or body.get("error") or response.status)


def changegroup(ui: Any, repo: Any, node: Any = None, **_more: Any) -> bool:
    """Run as Mercurial's hook after a push; never fail it."""
    try:
        messenger = Messenger(Path(os.fsdecode(repo.path)) / CONFIG)
        text = messenger.submit(_heads(repo, node), _pusher())
    except Exception as error:
        text = _failure(error)
    if text:
        ui.status(b"bigred: " + text.encode("utf-8", "replace") + b"\n")
    return False


def _heads(repo: Any, node: Any) -> list[tuple[str, str]]:
    """Return (branch, commit) for the newest pushed commit of each branch."""
    newest: dict[str, str] = {}
    for number in range(repo[node].rev(), len(repo)):
        commit = repo[number]
        newest[commit.branch().decode("utf-8", "replace")] = commit.hex().decode("ascii")
    return list(newest.items())


def pushed_commits(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Parse the input of git's post-receive hook into (branch, commit) pairs."""
    found = []
    for line in filter(str.strip, lines):
        _old, new, ref = line.rstrip("\n").split(" ", 2)
        if ref.startswith("refs/heads/") and new.strip("0"):
            found.append((ref[len("refs/heads/") :], new))
    return found


def main(config: str) -> None:
    """Run as git's hook, with the pushed refs on standard input; never fail the push."""
    try:
        pushed = pushed_commits(sys.stdin)
        text = Messenger(config).submit(pushed, _pusher()) if pushed else ""
    except Exception as error:
        text = _failure(error)
    if text:
        sys.stdout.write(f"bigred: {text}\n")
        sys.stdout.flush()
    # Exit without joining a thread that still waits for an answer.
    os._exit(0)


def _failure(error: Exception) -> str:
    return f"nothing was submitted: {type(error).__name__} {error}"


def _pusher() -> str:
    """Return the pusher's name from Gitolite, GitLab, Gitea or the web server, or the user's."""
    for name in ("GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "REMOTE_USER", "LOGNAME", "USER"):
        if os.environ.get(name):
            return os.environ[name][:64]
    return f"uid-{os.getuid()}"


def _encodable(text: str) -> str:
    """Return a text that JSON can carry: a name in another encoding comes as halves of characters.

    The server would refuse the whole push.
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    if CHECK in sys.argv:
        Messenger(sys.argv[1]).check()
    else:
        main(sys.argv[1])
