"""The link to a deployment's page: who has it can open the page, and nothing else. Pure."""

import hashlib
import hmac
from collections.abc import Iterable

PAGES = "/deployments"
_DIGITS = 32


def link(url: str, secrets: Iterable[str], deployment: str) -> str:
    """Return the link to a deployment's page below the public address `url` of the HTTP API.

    `secrets`: the SHA-256 of each token of the API. Changing them ends all earlier links.
    """
    return f"{url.rstrip('/')}{PAGES}/{deployment}?key={_key(secrets, deployment)}"


def opens(secrets: Iterable[str], deployment: str, key: str) -> bool:
    """Return whether a key opens the page of a deployment."""
    known = sorted(secrets)
    given = key.encode("utf-8", "replace")
    return bool(known) and hmac.compare_digest(given, _key(known, deployment).encode())


def _key(secrets: Iterable[str], deployment: str) -> str:
    secret = " ".join(sorted(secrets)).encode()
    message = f"receipt {deployment}".encode("utf-8", "replace")
    return hmac.new(secret, message, hashlib.sha256).hexdigest()[:_DIGITS]
