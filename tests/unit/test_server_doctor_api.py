"""The doctor checks who can read a token of the HTTP API, and its certificate."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.certificates import TestAuthority

from bigred_server.doctor import api
from bigred_server.doctor.finding import Severity
from bigred_server.settings import ApiSettings, ApiTlsSettings

NOW = datetime.now(UTC)


def settings(folder: Path, days: int) -> ApiSettings:
    certificate, key = TestAuthority(folder).issue("api", days=days)
    return ApiSettings(listen="0.0.0.0:8443", tls=ApiTlsSettings(certificate=certificate, key=key))


def test_without_an_api_there_is_nothing_to_check() -> None:
    assert api.check(ApiSettings(), NOW) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "[::1]"])
def test_plain_http_on_this_machine_is_fine(host: str) -> None:
    [finding] = api.check(ApiSettings(listen=f"{host}:8088"), NOW)
    assert finding.level is Severity.OK


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "deploy.example.com", "[::]"])
def test_plain_http_that_others_can_reach_is_reported(host: str) -> None:
    [finding] = api.check(ApiSettings(listen=f"{host}:8088"), NOW)
    assert finding.level is Severity.WARN
    assert "tokens can be read on the way" in finding.text
    assert "[api.tls]" in finding.fix


@pytest.mark.parametrize(
    ("days", "level", "text"),
    [
        (30, Severity.OK, "its certificate is valid until "),
        (13, Severity.WARN, "its certificate expires on "),
        (-1, Severity.WARN, "its certificate expired on "),
    ],
)
def test_a_certificate_that_expires_is_reported(
    tmp_path: Path, days: int, level: Severity, text: str
) -> None:
    [finding] = api.check(settings(tmp_path, days), NOW)
    assert finding.level is level
    assert finding.text.startswith(text)


def test_a_certificate_that_can_t_be_used_is_bad(tmp_path: Path) -> None:
    asked = settings(tmp_path, 30)
    assert asked.tls is not None
    asked.tls.key.write_bytes(asked.tls.certificate.read_bytes())
    [finding] = api.check(asked, NOW)
    assert finding.level is Severity.BAD
    assert "are not a certificate and its key in PEM" in finding.text
