"""Verify that a webhook comes from a forge that knows the secret. Pure.

Sources: GitHub, "Validating webhook deliveries" (X-Hub-Signature-256: HMAC-SHA256 of the body);
Gitea and Forgejo, "Webhooks" (X-Gitea-Signature, X-Forgejo-Signature: HMAC-SHA256 in hexadecimal
of the JSON, also where that is sent in a form); GitLab, "Webhooks" (X-Gitlab-Token is the secret
itself; a signing token, `whsec_...`, signs as Standard Webhooks 1.0 says).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from bigred_server.pipeline.webhook import Forge, json_of

# Standard Webhooks: how far its sender's clock and ours may differ, against recorded messages.
_SKEW_S = 300.0
_SIGNING_TOKEN = "whsec_"  # noqa: S105
_VERSION = "v1,"


def is_genuine(
    forge: Forge, secret: str, headers: Mapping[str, str], body: bytes, now: float
) -> bool:
    """Return whether the sender knows the secret; header names are in lower case.

    `now` is Unix time.
    """
    if not secret:
        return False
    key = secret.encode()
    match forge:
        case Forge.GITHUB:
            return _same(headers.get("x-hub-signature-256", ""), f"sha256={_hex(key, body)}")
        case Forge.GITLAB:
            token = headers.get("x-gitlab-token", "")
            return _same(token, secret) or _is_signed(secret, headers, body, now)
        case Forge.GITEA:
            given = headers.get("x-gitea-signature", "")
        case Forge.FORGEJO:
            given = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature", "")
    return _same(given, _hex(key, json_of(headers, body))) or _same(given, _hex(key, body))


def _is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Return whether a message has a signature of Standard Webhooks, and is not an old one."""
    sent_at, message = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    try:
        key = base64.b64decode(secret.removeprefix(_SIGNING_TOKEN), validate=True)
        age_s = abs(now - int(sent_at))
    except (binascii.Error, ValueError):
        return False
    signed = hmac.new(
        key, f"{message}.{sent_at}.".encode("utf-8", "replace") + body, hashlib.sha256
    ).digest()
    expected = _VERSION + base64.b64encode(signed).decode("ascii")
    given = headers.get("webhook-signature", "").split(" ")
    # All are compared, each in constant time: several secrets may be valid while one is changed.
    matches = [_same(one, expected) for one in given]
    return bool(key and message) and age_s <= _SKEW_S and any(matches)


def _hex(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
