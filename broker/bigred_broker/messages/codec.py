"""Encodes messages to bytes and decodes them."""

from typing import TypeVar

from pydantic import ValidationError

from bigred_broker.messages.base import Message, Status

MAX_BYTES = 16 * 1024
TOPIC_AND_PROPERTIES = 4 * 1024  # allowance of a packet on top of its payload


class MessageError(ValueError):
    """The bytes are not a message of the expected kind; the text says why."""


M = TypeVar("M", bound=Message)


def size(message: Message) -> int:
    """Return the bytes of a message, even over the size limit."""
    return len(_encoded(message))


def encode(message: Message) -> bytes:
    """Return the bytes of a message. Raises MessageError over the size limit."""
    data = _encoded(message)
    if len(data) > MAX_BYTES:
        raise MessageError(
            f"{type(message).__name__} of {len(data)} bytes is over the limit of {MAX_BYTES}"
        )
    return data


def decode(model: type[M], data: bytes) -> M:
    """Read a message of the given kind. Raises MessageError, and nothing else."""
    if len(data) > MAX_BYTES:
        raise MessageError(f"{len(data)} bytes are over the limit of {MAX_BYTES}")
    try:
        # Strictly: a quoted number is not a number, and "yes" is not true.
        return model.model_validate_json(data, strict=True)
    except (ValidationError, RecursionError) as error:
        raise MessageError(f"not a valid {model.__name__}: {_brief(error)}") from error


def decode_status(data: bytes) -> Status:
    """Read a bare `online` or `offline`. Raises MessageError for anything else."""
    try:
        return Status(data.decode("ascii"))
    except ValueError as error:
        raise MessageError(f"not a status: {data[:40]!r}") from error


def _encoded(message: Message) -> bytes:
    return message.model_dump_json(exclude_none=True).encode()


def _brief(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
