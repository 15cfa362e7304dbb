"""Names in their spoken form."""

from bigred_agent.phrases.phrase import Value
from bigred_broker.messages import ReleaseNote


def spoken_name(name: str) -> str:
    """Return the spoken form of an id: `web-shop` is "Web shop"."""
    return name.replace("-", " ").strip().capitalize()


def release_values(app: str, release: ReleaseNote | None) -> dict[str, Value]:
    """Return the values of phrases about a release: `app`, `version` and `author`."""
    return {
        "app": spoken_name(app),
        "version": release.version if release else "",
        "author": release.author if release else "",
    }
