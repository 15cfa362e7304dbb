"""Hands in what was pushed, in a moment, and never lets a push fail.

A program by itself, of the standard library alone, for the Python of any repository's machine:
git's post-receive hook runs it, and Mercurial calls `changegroup` in its own process. What the
server does not take at once stays in a spool beside the repository, for the next push or for
`bigred hook flush`. The server takes the same commit twice without harm.
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
from typing import Any  # what Mercurial hands over is its own

# The whole of what a push may be held up for.
PATIENCE_S = 0.7
# Beside the repository; what is in it see Messenger.
CONFIG = "bigred-hook.json"
# As many as one request carries.
MOST = 100
_ACCEPTED = 202
_NEVER = (404, 409, 422)


class Messenger:
    """`config`: the path of the JSON file that `bigred hook install` wrote.

    Its keys: `url` of the server, `app`, `token_file`, and `spool`, the folder of what waits.
    """

    def __init__(self, config: str | Path) -> None:
        told = json.loads(Path(config).read_text(encoding="utf-8"))
        self.url: str = told["url"]
        self.app: str = told["app"]
        self.token_file = Path(told["token_file"])
        self.spool = Path(told["spool"])

    def hand_in(self, pushed: Sequence[tuple[str, str]], who: str) -> str:
        """Hand in (branch, commit) pairs and what still waits; give a line for the pusher."""
        self._keep(pushed, who)
        return self.flush()

    def flush(self, patience_s: float = PATIENCE_S) -> str:
        """Hand in what waits; give a line that says what became of it, "" for nothing to do."""
        waiting = self.waiting()
        if not waiting:
            return ""
        answer: list[tuple[int, str]] = []
        # Names may take long to be resolved, and nothing bounds that but a thread that is left.
        asking = threading.Thread(target=self._ask, args=(waiting, answer, patience_s), daemon=True)
        asking.start()
        asking.join(patience_s)
        status, told = answer[0] if answer else (0, f"no answer within {patience_s:g} s")
        if status == _ACCEPTED:
            for path in waiting:
                path.unlink(missing_ok=True)
            return told
        if status in _NEVER:
            # It will never be taken; a person has to know, and the next push must not try again.
            for path in waiting:
                with contextlib.suppress(FileNotFoundError):
                    path.replace(path.with_suffix(".refused"))
            return f"{self.app} is NOT handed in: {told}"
        kept = "1 push is" if len(waiting) == 1 else f"{len(waiting)} pushes are"
        return f"{kept} kept, to be handed in with the next one or by bigred hook flush: {told}"

    def waiting(self) -> list[Path]:
        """List the files of what waits, the oldest first, no more than one request carries."""
        return sorted(self.spool.glob("*.json"))[:MOST]

    def _keep(self, pushed: Sequence[tuple[str, str]], who: str) -> None:
        self.spool.mkdir(parents=True, exist_ok=True)
        for number, (branch, commit) in enumerate(pushed):
            new = self.spool / f"{time.time_ns():020}-{os.getpid():07}-{number:05}.new"
            told = {"branch": branch, "commit": commit, "who": who}
            new.write_text(json.dumps(told), encoding="utf-8")
            new.replace(new.with_suffix(".json"))

    def _ask(
        self, waiting: Sequence[Path], answer: list[tuple[int, str]], patience_s: float
    ) -> None:
        try:
            answer.append(self._post(waiting, patience_s))
        except Exception as error:
            # Whatever it is, a push goes on.
            answer.append((0, f"{type(error).__name__} {error}"))

    def _post(self, waiting: Sequence[Path], patience_s: float) -> tuple[int, str]:
        commits = [found for found in map(_read, waiting) if found]
        token = self.token_file.read_text(encoding="utf-8").strip()
        at = urllib.parse.urlsplit(self.url)
        secure = at.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        # Later than whoever waits gives up: one thing only says that it took too long.
        connection = kind(at.hostname or "", at.port, timeout=patience_s + 1)
        path = f"{at.path.rstrip('/')}/api/v1/apps/{urllib.parse.quote(self.app)}/commits"
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        try:
            connection.request("POST", path, json.dumps({"commits": commits}), headers)
            response = connection.getresponse()
            told = json.loads(response.read(65536).decode("utf-8"))
        finally:
            connection.close()
        return response.status, str(told.get("text") or told.get("error") or response.status)


def changegroup(ui: Any, repo: Any, node: Any = None, **_more: Any) -> bool:
    """Mercurial's hook, after changesets came in. It never fails."""
    try:
        messenger = Messenger(Path(os.fsdecode(repo.path)) / CONFIG)
        told = messenger.hand_in(_heads(repo, node), _who())
    except Exception as error:
        told = _nothing(error)
    if told:
        ui.status(b"bigred: " + told.encode("utf-8", "replace") + b"\n")
    return False


def _heads(repo: Any, node: Any) -> list[tuple[str, str]]:
    """Give the newest commit of each branch among what came in."""
    newest: dict[str, str] = {}
    for number in range(repo[node].rev(), len(repo)):
        commit = repo[number]
        newest[commit.branch().decode("utf-8", "replace")] = commit.hex().decode("ascii")
    return list(newest.items())


def received(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Read what git tells a post-receive hook: the new commits of branches, (branch, commit)."""
    found = []
    for line in lines:
        _old, new, ref = line.rstrip("\n").split(" ", 2)
        if ref.startswith("refs/heads/") and new.strip("0"):
            found.append((ref[len("refs/heads/") :], new))
    return found


def main(config: str) -> None:
    """Git's hook: what was pushed comes by standard input. It never fails."""
    try:
        pushed = received(sys.stdin)
        told = Messenger(config).hand_in(pushed, _who()) if pushed else ""
    except Exception as error:
        told = _nothing(error)
    if told:
        sys.stdout.write(f"bigred: {told}\n")
        sys.stdout.flush()
    # A thread that still waits for an answer is not waited for.
    os._exit(0)


def _nothing(error: Exception) -> str:
    return f"nothing is handed in: {type(error).__name__} {error}"


def _who() -> str:
    """Say who pushes: as Gitolite, GitLab, Gitea or the web server tells it, or the user."""
    for name in ("GL_USERNAME", "GL_USER", "GITEA_PUSHER_NAME", "REMOTE_USER", "LOGNAME", "USER"):
        if os.environ.get(name):
            return os.environ[name][:64]
    return f"uid-{os.getuid()}"


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main(sys.argv[1])
