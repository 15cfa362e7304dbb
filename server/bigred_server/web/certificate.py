"""The certificate of the HTTP API, read again once its files have changed."""

import ssl
from pathlib import Path

import structlog

from bigred_server.errors import ApiError
from bigred_server.settings import ApiTlsSettings

log = structlog.get_logger(__name__)

CHECK_S = 60.0

_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate with its key; `context` is the newest that could be read.

    Raise ApiError if there is none at first. Later, a pair that can't be used, such as one of which
    only one file is renewed yet, is logged once, and the one before stays in use.
    """

    def __init__(self, tls: ApiTlsSettings) -> None:
        self._tls = tls
        try:
            self._stamp = _stamp(tls)
            self.context = context_of(tls)
        except OSError as error:
            raise ApiError(
                f"the HTTP API can't use its certificate: {problem(tls, error)}; "
                "correct 'certificate' and 'key' in [api.tls]"
            ) from error

    def renew(self) -> None:
        """Use what the files have become, if they have changed since the last call."""
        try:
            stamp = _stamp(self._tls)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self.context = context_of(self._tls)
        except OSError as error:
            log.warning(
                "the HTTP API can't use its new certificate, and keeps the old one",
                reason=problem(self._tls, error),
            )
        else:
            log.info("the HTTP API uses its new certificate", file=str(self._tls.certificate))


def context_of(tls: ApiTlsSettings) -> ssl.SSLContext:
    """Return a server's TLS 1.2 or newer with this certificate. Raise OSError if it can't be."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A key with a password must fail instead of asking for it at the terminal.
    context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    return context


def problem(tls: ApiTlsSettings, error: OSError) -> str:
    """Return what an error of `context_of` means."""
    for path in (tls.certificate, tls.key):
        try:
            path.read_bytes()
        except OSError as unreadable:
            return f"{path} can't be read: {unreadable.strerror}"
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return f"{tls.key} is not the key of {tls.certificate}"
    detail = f" ({str(reason).lower().replace('_', ' ')})" if reason else ""
    return f"{tls.certificate} and {tls.key} are not a certificate and its key in PEM{detail}"


def _stamp(tls: ApiTlsSettings) -> _Stamp:
    # Of what links lead to: certbot renews by changing links.
    found = (path.stat() for path in map(Path, (tls.certificate, tls.key)))
    return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)
