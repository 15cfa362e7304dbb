"""Webhooks of GitHub, GitLab and Gitea: whether one is genuine, and what was pushed. Pure.

Sources: GitHub, "Validating webhook deliveries" (X-Hub-Signature-256: HMAC-SHA256 of the body);
GitLab, "Webhooks" (X-Gitlab-Token is the secret itself, and from 18 on a Standard Webhooks
signature); Gitea, "Webhooks" (X-Gitea-Signature: HMAC-SHA256 of the body, in hexadecimal).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from enum import StrEnum

from bigred_server.errors import WebhookError
from bigred_server.model.build import is_commit
from bigred_server.model.pushed import Pushed

_BRANCHES = "refs/heads/"
_MOST_WHO = 64


class Forge(StrEnum):
    """Who sends a webhook."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


_EVENTS = {
    Forge.GITHUB: ("x-github-event", ("push",)),
    Forge.GITLAB: ("x-gitlab-event", ("Push Hook", "System Hook")),
    Forge.GITEA: ("x-gitea-event", ("push",)),
}


def is_genuine(forge: Forge, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Say whether the sender knows the secret; names of headers are in lower case."""
    if not secret:
        return False
    if forge is Forge.GITLAB:
        return _same(headers.get("x-gitlab-token", ""), secret)
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if forge is Forge.GITHUB:
        return _same(headers.get("x-hub-signature-256", ""), f"sha256={signed}")
    return _same(headers.get("x-gitea-signature", ""), signed)


def pushed(forge: Forge, headers: Mapping[str, str], body: bytes) -> Pushed | None:
    """Read what was pushed; None for an event that is no push to a branch.

    Raises WebhookError for a body that is no push of theirs.
    """
    name, wanted = _EVENTS[forge]
    if headers.get(name, "") not in wanted:
        return None
    try:
        told = json.loads(body)
        ref, commit = str(told["ref"]), str(told["after"])
    except (ValueError, KeyError, TypeError) as error:
        raise WebhookError(f"this is no push of {forge}: {type(error).__name__} {error}") from error
    if not ref.startswith(_BRANCHES) or not commit.strip("0"):
        return None
    if not is_commit(commit):
        raise WebhookError(f"{commit[:80]!r} is no commit")
    return Pushed(ref.removeprefix(_BRANCHES), commit, _who(told))


def _who(told: Mapping[str, object]) -> str:
    if isinstance(told.get("user_name"), str):
        return str(told["user_name"])[:_MOST_WHO]
    pusher = told.get("pusher")
    if isinstance(pusher, dict):
        for name in ("login", "username", "name"):
            if isinstance(pusher.get(name), str) and pusher[name]:
                return str(pusher[name])[:_MOST_WHO]
    return "webhook"


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
