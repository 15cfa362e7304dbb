"""Verify webhooks of GitHub, GitLab and Gitea, and read what was pushed. Pure.

Sources: GitHub, "Validating webhook deliveries" (X-Hub-Signature-256: HMAC-SHA256 of the body);
GitLab, "Webhooks" (X-Gitlab-Token is the secret itself; since 18 also a Standard Webhooks
signature); Gitea, "Webhooks" (X-Gitea-Signature: HMAC-SHA256 of the body, in hexadecimal).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from enum import StrEnum

from bigred_server.errors import WebhookError
from bigred_server.model.build import is_commit
from bigred_server.pipeline.submissions import Pushed

_BRANCHES = "refs/heads/"
_MOST_WHO = 64


class Forge(StrEnum):
    """The sender of a webhook."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


_EVENTS = {
    Forge.GITHUB: ("x-github-event", ("push",)),
    Forge.GITLAB: ("x-gitlab-event", ("Push Hook", "System Hook")),
    Forge.GITEA: ("x-gitea-event", ("push",)),
}


def is_genuine(forge: Forge, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return whether the sender knows the secret; header names are in lower case."""
    if not secret:
        return False
    if forge is Forge.GITLAB:
        return _same(headers.get("x-gitlab-token", ""), secret)
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if forge is Forge.GITHUB:
        return _same(headers.get("x-hub-signature-256", ""), f"sha256={signed}")
    return _same(headers.get("x-gitea-signature", ""), signed)


def pushed(forge: Forge, headers: Mapping[str, str], body: bytes) -> Pushed | None:
    """Return the commit that was pushed; None for an event that is not a push to a branch.

    Raise WebhookError if the body is not a valid push event.
    """
    name, wanted = _EVENTS[forge]
    if headers.get(name, "") not in wanted:
        return None
    try:
        event = json.loads(body)
        ref, commit = str(event["ref"]), str(event["after"])
    except (ValueError, KeyError, TypeError) as error:
        raise WebhookError(
            f"not a push event of {forge}: {type(error).__name__} {error}"
        ) from error
    if not ref.startswith(_BRANCHES) or not commit.strip("0"):
        return None
    if not is_commit(commit):
        raise WebhookError(f"{commit[:80]!r} is not a commit ID")
    return Pushed(ref.removeprefix(_BRANCHES), commit, _who(event))


def _who(event: Mapping[str, object]) -> str:
    if isinstance(event.get("user_name"), str):
        return str(event["user_name"])[:_MOST_WHO]
    pusher = event.get("pusher")
    if isinstance(pusher, dict):
        for name in ("login", "username", "name"):
            if isinstance(pusher.get(name), str) and pusher[name]:
                return str(pusher[name])[:_MOST_WHO]
    return "webhook"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
