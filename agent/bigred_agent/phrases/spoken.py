"""Names as they are spoken."""

from bigred_agent.phrases.phrase import Value
from bigred_broker.messages import ReleaseNote


def spoken_name(name: str) -> str:
    """Give an id the way one says it: `web-shop` is "Web shop"."""
    return name.replace("-", " ").strip().capitalize()


def release_values(app: str, release: ReleaseNote | None) -> dict[str, Value]:
    """Give what phrases about a release are filled with: `app`, `version` and `author`."""
    return {
        "app": spoken_name(app),
        "version": release.version if release else "",
        "author": release.author if release else "",
    }
