"""How the doctor reports a shared database that does not answer."""

import pytest

from bigred_broker.program import free_port
from bigred_server.doctor import database
from bigred_server.doctor.finding import Severity


async def test_sqlite_has_no_clock_of_its_own() -> None:
    assert await database.check("") == []


async def test_an_absent_database_is_bad_and_its_password_stays_secret() -> None:
    pytest.importorskip("psycopg")
    (found,) = await database.check(f"postgresql://bigred:s3cret@127.0.0.1:{free_port()}/bigred")
    assert found.level is Severity.BAD
    assert found.text.startswith("it does not answer: ")
    assert "s3cret" not in found.text
