"""Phrase packs: TOML files in this folder, and the function that fills in a phrase."""

import string
import tomllib
from importlib import resources
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bigred_agent.errors import PackError
from bigred_agent.phrases.phrase import Changes, Phrase, Servers, Value

DEFAULT_PACK = "default"
_NAMED = 2


class Pack(BaseModel):
    """A set of phrases. `numbers` are the words from zero to twenty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str
    numbers: Annotated[tuple[str, ...], Field(min_length=21, max_length=21)]
    one_server: str
    many_servers: str
    one_change: str
    many_changes: str
    changes_by: str
    names_and: str
    others: str
    no_reason: str
    phrases: dict[Phrase, str]


def names() -> list[str]:
    """List the available packs."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name[: -len(".toml")] for file in files if file.name.endswith(".toml"))


def load(name: str) -> Pack:
    """Read a pack by its name. Raises PackError if it does not exist or is incomplete."""
    if name not in names():
        raise PackError(f"there is no phrase pack {name!r}; available: {', '.join(names())}")
    text = resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    try:
        pack = Pack.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise PackError(f"the phrase pack {name!r} is not valid: {error}") from error
    if missing := set(Phrase) - pack.phrases.keys():
        raise PackError(f"the phrase pack {name!r} lacks {', '.join(sorted(missing))}")
    return pack


def placeholders(template: str) -> frozenset[str]:
    """Return the names of a phrase's placeholders."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def render(pack: Pack, phrase: Phrase, **values: Value) -> str:
    """Fill in a phrase. Numbers up to twenty become words; an empty reason is replaced."""
    spoken = {name: _spoken(pack, value) for name, value in values.items()}
    if "reason" in spoken:
        spoken["reason"] = spoken["reason"] or pack.no_reason
    # An empty value leaves no gap.
    return " ".join(pack.phrases[phrase].format(**spoken).split())


def _spoken(pack: Pack, value: Value) -> str:
    if isinstance(value, Servers):
        template = pack.one_server if value.count == 1 else pack.many_servers
        return template.format(count=_number(pack, value.count))
    if isinstance(value, Changes):
        return _changes(pack, value)
    if isinstance(value, int):
        return _number(pack, value)
    # The phrase has its own full stop.
    return value.strip().rstrip(".")


def _changes(pack: Pack, value: Changes) -> str:
    template = pack.one_change if value.count == 1 else pack.many_changes
    changes = template.format(count=_number(pack, value.count))
    names = [*value.authors[:_NAMED], *([pack.others] if len(value.authors) > _NAMED else [])]
    if not names:
        return changes
    *most, last = names
    joined = pack.names_and.format(names=", ".join(most), last=last) if most else last
    return pack.changes_by.format(changes=changes, names=joined)


def _number(pack: Pack, number: int) -> str:
    return pack.numbers[number] if 0 <= number < len(pack.numbers) else str(number)
