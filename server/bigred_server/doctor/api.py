"""Check the HTTP API: whether tokens travel in the clear, and how long its certificate is valid."""

import ipaddress
from datetime import datetime, timedelta

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.settings import ApiSettings, ApiTlsSettings
from bigred_server.web.certificate import context_of, problem

_CODE = "api"
_WHERE = "api"
_SOON = timedelta(days=14)


def check(api: ApiSettings, now: datetime) -> list[Finding]:
    """Check the settings of the API and the files that they name; nothing without an API."""
    if not api.listen:
        return []
    if api.tls is not None:
        return [_certificate(api.tls, now)]
    host = api.listen.rpartition(":")[0].strip("[]")
    if _is_local(host):
        return [Finding(_CODE, Severity.OK, _WHERE, "only this machine can reach it")]
    text = f"it listens on {host} by plain HTTP: tokens can be read on the way"
    fix = "set [api.tls], or listen on 127.0.0.1 behind a proxy that adds TLS"
    return [Finding(_CODE, Severity.WARN, _WHERE, text, fix)]


def _certificate(tls: ApiTlsSettings, now: datetime) -> Finding:
    # Imported late: it takes a tenth of a second to load, and few sites have a certificate.
    from cryptography import x509

    try:
        context_of(tls)
        [first, *_] = x509.load_pem_x509_certificates(tls.certificate.read_bytes())
    except (OSError, ValueError) as error:
        text = problem(tls, error) if isinstance(error, OSError) else str(error)
        fix = "correct it: the server does not start with it"
        return Finding(_CODE, Severity.BAD, _WHERE, text, fix)
    ends, day = first.not_valid_after_utc, f"{first.not_valid_after_utc:%Y-%m-%d}"
    fix = f"renew {tls.certificate}; the server uses the new one within a minute"
    if ends <= now:
        text = f"its certificate expired on {day}: hooks and other clients refuse it"
        return Finding(_CODE, Severity.WARN, _WHERE, text, fix)
    if ends - now < _SOON:
        return Finding(_CODE, Severity.WARN, _WHERE, f"its certificate expires on {day}", fix)
    return Finding(_CODE, Severity.OK, _WHERE, f"its certificate is valid until {day}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
