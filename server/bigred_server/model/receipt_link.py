"""The link to a deployment's page: who has it can open the page, and nothing else. Pure."""

import hashlib
import hmac

PAGES = "/deployments"
_DIGITS = 32


def link(url: str, secret: str, deployment: str) -> str:
    """Return the link to a deployment's page below the public address `url` of the HTTP API.

    `secret`: what the link is signed with.
    """
    return f"{url.rstrip('/')}{PAGES}/{deployment}?key={_key(secret, deployment)}"


def opens(secret: str, deployment: str, key: str) -> bool:
    """Return whether a key opens the page of a deployment."""
    given = key.encode("utf-8", "replace")
    return hmac.compare_digest(given, _key(secret, deployment).encode())


def _key(secret: str, deployment: str) -> str:
    message = f"receipt {deployment}".encode("utf-8", "replace")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:_DIGITS]
