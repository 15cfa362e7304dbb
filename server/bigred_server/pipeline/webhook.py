"""Read what was pushed from a webhook of GitHub, GitLab, Gitea or Forgejo. Pure."""

import json
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import parse_qs

from bigred_server.errors import UnreadableWebhookError, WebhookError
from bigred_server.model.build import is_commit
from bigred_server.model.plain_text import MOST_WHO, plain
from bigred_server.model.pushed_commit import PushedCommit

_BRANCHES = "refs/heads/"
_FORM = "application/x-www-form-urlencoded"
# A forge sends one field; more is nobody's webhook.
_MOST_FIELDS = 16


class Forge(StrEnum):
    """The sender of a webhook."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


# The headers that name the event, the first that is there counts, and the events that may be a
# push.
_EVENTS: Mapping[Forge, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Forge.GITHUB: (("x-github-event",), ("push",)),
    Forge.GITLAB: (("x-gitlab-event",), ("Push Hook", "System Hook")),
    Forge.GITEA: (("x-gitea-event",), ("push",)),
    Forge.FORGEJO: (("x-forgejo-event", "x-gitea-event"), ("push",)),
}
# How GitLab says in the body what an event is: its system hooks send many kinds.
_KINDS = ("object_kind", "event_name")
_PUSH = "push"


def json_of(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the JSON of a body: the body itself, or the field `payload` of a form.

    GitHub and Gitea send forms by default.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return body
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=_MOST_FIELDS)
    except ValueError:
        return body
    return fields["payload"][0].encode("utf-8", "replace") if "payload" in fields else body


def pushed(forge: Forge, headers: Mapping[str, str], body: bytes) -> PushedCommit | None:
    """Return the commit that was pushed; None for an event that is not a push to a branch.

    Header names are in lower case. Raise UnreadableWebhookError if the body is not JSON, and
    WebhookError if it is not a valid push event.
    """
    names, wanted = _EVENTS[forge]
    if next((headers[name] for name in names if name in headers), "") not in wanted:
        return None
    try:
        event = json.loads(json_of(headers, body))
    except (ValueError, RecursionError) as error:
        raise UnreadableWebhookError(
            f"the body is not JSON: {error}; let {forge} send application/json or {_FORM}"
        ) from error
    if not isinstance(event, dict):
        raise WebhookError(f"not a push event of {forge}: not an object")
    if next((event[name] for name in _KINDS if name in event), _PUSH) != _PUSH:
        return None
    ref, commit = event.get("ref"), event.get("after")
    if not isinstance(ref, str) or not isinstance(commit, str):
        raise WebhookError(f"not a push event of {forge}: it needs the texts `ref` and `after`")
    if not ref.startswith(_BRANCHES) or not commit.strip("0"):
        return None
    if not is_commit(commit):
        raise WebhookError(f"{commit[:80]!r} is not a commit ID")
    return PushedCommit(ref.removeprefix(_BRANCHES), commit, _who(event))


def _who(event: Mapping[str, object]) -> str:
    if isinstance(event.get("user_name"), str):
        return plain(str(event["user_name"]), MOST_WHO)
    pusher = event.get("pusher")
    if isinstance(pusher, dict):
        for name in ("login", "username", "name"):
            if isinstance(pusher.get(name), str) and pusher[name]:
                return plain(str(pusher[name]), MOST_WHO)
    return "webhook"
