"""From a message to its bytes and back: the only way in and out."""

from typing import TypeVar

from pydantic import ValidationError

from bigred_broker.messages.base import Message, Status

MAX_BYTES = 16 * 1024
TOPIC_AND_PROPERTIES = 4 * 1024  # what a packet may have beside its payload


class MessageError(ValueError):
    """What arrived is not a message of the expected kind; the text says why."""


M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Give the bytes of a message. Raises MessageError when they are over the size limit."""
    data = message.model_dump_json(exclude_none=True).encode()
    if len(data) > MAX_BYTES:
        raise MessageError(
            f"{type(message).__name__} of {len(data)} bytes is over the limit of {MAX_BYTES}"
        )
    return data


def decode(model: type[M], data: bytes) -> M:
    """Read a message of the given kind. Raises MessageError, and nothing else, when it is none."""
    if len(data) > MAX_BYTES:
        raise MessageError(f"{len(data)} bytes are over the limit of {MAX_BYTES}")
    try:
        # Strictly: a number in quotes is no number, and "yes" is not true.
        return model.model_validate_json(data, strict=True)
    except (ValidationError, RecursionError) as error:
        raise MessageError(f"no {model.__name__}: {_brief(error)}") from error


def decode_status(data: bytes) -> Status:
    """Read a bare `online` or `offline`. Raises MessageError when it is neither."""
    try:
        return Status(data.decode("ascii"))
    except ValueError as error:
        raise MessageError(f"no status: {data[:40]!r}") from error


def _brief(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
