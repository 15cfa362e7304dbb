"""Tokens of the HTTP API whose secrets a test knows."""

import asyncio
import time
from pathlib import Path

from bigred_server.journal import api_tokens
from bigred_server.journal.database import Database
from bigred_server.model import api_token
from bigred_server.model.api_token import ApiToken, Role


async def add(
    database: Database, secret: str, role: Role, name: str = "", *, expires_at: float | None = None
) -> ApiToken:
    """Put a token into an open journal; it belongs to `name`, by default that of its role."""
    token = ApiToken(
        api_token.new_token_id(), name or role, role, time.time(), "test", expires_at=expires_at
    )
    async with database.write() as db:
        await api_tokens.add(db, token, api_token.digest(secret))
    return token


def put(journal: Path, secrets: dict[str, Role]) -> None:
    """Put tokens into the journal file of a server, which is created if needed."""

    async def work() -> None:
        database = await Database.open(journal)
        for secret, role in secrets.items():
            await add(database, secret, role)
        await database.close()

    journal.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(work())
