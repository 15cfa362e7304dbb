"""The HTTP client for nodes: whom it trusts."""

import ssl

import httpx2
import pytest

from bigred_server.tomcat import probe


def trusted(monkeypatch: pytest.MonkeyPatch, urls: list[str] | None) -> object:
    """Return what a client for these URLs is told to trust."""
    told: list[object] = []
    monkeypatch.setattr(httpx2, "AsyncClient", lambda *, verify, **_: told.append(verify))
    probe.client(urls)
    return told[0]


@pytest.mark.parametrize(
    "urls", [None, ["https://a:8443"], ["http://a:8080", "https://a:8443"], ["HTTP://a:8080"]]
)
def test_a_client_that_may_ask_over_tls_trusts_the_known_authorities(
    monkeypatch: pytest.MonkeyPatch, urls: list[str] | None
) -> None:
    assert trusted(monkeypatch, urls) is True


def test_a_client_that_never_asks_over_tls_loads_no_authority_and_trusts_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = trusted(monkeypatch, ["http://a:8080", "http://a:8080/manager"])
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs() == []
