"""The HTTP API by HTTPS: renewed certificates, and clients that never finish a handshake."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import time
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from tests.support.api_site import ApiSite, bearer
from tests.support.certificates import TestAuthority

from bigred_broker.program import free_port, is_listening, wait_until
from bigred_server.errors import ApiError
from bigred_server.settings import ApiSettings, ApiTlsSettings
from bigred_server.web import certificate as certificates
from bigred_server.web import greeting, serve
from bigred_server.web.certificate import Certificate

DEADLINE_S = 20.0
SHORT_S = 0.1
MOST = 10
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@dataclass
class TlsRig:
    authority: TestAuthority
    tls: ApiTlsSettings
    port: int = field(default_factory=free_port)

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.file))

    def write(self, name: str) -> None:
        """Renew the certificate, as one that is for `name`."""
        made, key = self.authority.issue(name, number="-new")
        shutil.copy(key, self.tls.key)
        shutil.copy(made, self.tls.certificate)

    async def ask(self, request: bytes = REQUEST) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            address = ("127.0.0.1", self.port)
            reader, writer = await asyncio.open_connection(*address, ssl=self.context)
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer

    async def shown(self) -> str:
        """Return for whom the certificate is that a new client sees."""
        async with asyncio.timeout(DEADLINE_S):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context)
            names = writer.get_extra_info("peercert")["subject"]
            writer.transport.abort()
            return str(names[0][0][1])


@pytest.fixture
def tls(tmp_path: Path) -> TlsRig:
    authority = TestAuthority(tmp_path)
    made, key = authority.issue("first")
    return TlsRig(authority, ApiTlsSettings(certificate=made, key=key))


@pytest.fixture
async def rig(tls: TlsRig, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TlsRig]:
    monkeypatch.setattr(serve, "CHECK_S", SHORT_S)
    app = FastAPI()

    @app.get("/")
    async def answer() -> str:
        return "hello"

    settings = ApiSettings(most_connections=MOST, tls=tls.tls)
    listening = serve.listening(f"127.0.0.1:{tls.port}")
    serving = asyncio.create_task(serve.serve(app, settings, listening, Certificate(tls.tls)))
    try:
        yield tls
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(serving, DEADLINE_S)


def test_the_server_speaks_https_if_it_has_a_certificate(tls: TlsRig, tmp_path: Path) -> None:
    site = ApiSite(tmp_path / "site")
    site.folder.mkdir()
    files = f'certificate = "{tls.tls.certificate}"\nkey = "{tls.tls.key}"\n'
    site.write(api=f"[api.tls]\n{files}")
    with site.server():
        wait_until(lambda: is_listening(site.port), DEADLINE_S, "it listens")
        address = f"//127.0.0.1:{site.port}/api/v1/apps"
        with httpx2.Client(verify=tls.context, timeout=DEADLINE_S) as http:
            answer = http.get(f"https:{address}", headers=bearer("viewer"))
            assert answer.json() == {"apps": ["shop"]}
            with pytest.raises(httpx2.TransportError):
                http.get(f"http:{address}", headers=bearer("viewer"))
        with httpx2.Client(timeout=DEADLINE_S) as stranger, pytest.raises(httpx2.ConnectError):
            stranger.get(f"https:{address}")
    assert "Traceback" not in site.log()


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(rig: TlsRig) -> None:
    """With TLS 1.3 a client's first request and the end of its handshake are one packet."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = rig.context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65_536))
        client.write(REQUEST)
        writer.write(outgoing.read())
        while received := await reader.read(65_536):
            incoming.write(received)
        writer.transport.abort()
    assert client.read(65_536).startswith(b"HTTP/1.1 200 ")


async def test_a_renewed_certificate_is_used_without_a_restart(rig: TlsRig) -> None:
    assert await rig.shown() == "first"
    async with asyncio.timeout(DEADLINE_S):
        kept = await asyncio.open_connection("127.0.0.1", rig.port, ssl=rig.context)
    rig.write("second")
    seen = "first"
    deadline_s = time.monotonic() + DEADLINE_S
    while seen == "first" and time.monotonic() < deadline_s:
        seen = await rig.shown()
    assert seen == "second"
    kept[1].write(REQUEST)
    async with asyncio.timeout(DEADLINE_S):
        assert (await kept[0].read()).startswith(b"HTTP/1.1 200 ")
    kept[1].close()


async def test_a_pair_that_is_renewed_half_is_used_once_it_is_whole(tls: TlsRig) -> None:
    certificate = Certificate(tls.tls)
    before = certificate.context
    made, key = tls.authority.issue("second")
    shutil.copy(made, tls.tls.certificate)
    certificate.renew()
    assert certificate.context is before
    shutil.copy(key, tls.tls.key)
    certificate.renew()
    assert certificate.context is not before
    after = certificate.context
    certificate.renew()
    assert certificate.context is after, "nothing has changed"
    tls.tls.key.unlink()
    certificate.renew()
    assert certificate.context is after


async def test_clients_that_never_finish_the_handshake_keep_nobody_out(rig: TlsRig) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(5 * MOST):
            address = (f"127.0.0.{2 + number % 5}", 0)
            line = socket.create_connection(("127.0.0.1", rig.port), DEADLINE_S, address)
            stack.enter_context(contextlib.closing(line))
            line.sendall(b"\x16\x03\x01")
        assert (await rig.ask()).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_is_silent_instead_of_shaking_hands_is_cut_off(
    rig: TlsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting, "HANDSHAKE_S", SHORT_S)
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.transport.abort()


@pytest.mark.parametrize("hello", [REQUEST, b"\x00" * 5_000, b"\x16\x03\x01\x00\x01\x00"])
async def test_what_is_no_tls_ends_the_connection_and_nothing_else(
    rig: TlsRig, hello: bytes
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(hello)
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in await reader.read()
        writer.transport.abort()
    assert (await rig.ask()).startswith(b"HTTP/1.1 200 ")


async def test_an_old_version_of_tls_is_refused(rig: TlsRig) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        await asyncio.open_connection("127.0.0.1", rig.port, ssl=context)


def test_a_certificate_that_can_t_be_used_is_named_with_the_reason(tls: TlsRig) -> None:
    other, _ = tls.authority.issue("other")
    locked = tls.tls.key.with_name("locked.key")
    locked.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    gone, empty = tls.tls.key.with_name("gone"), tls.tls.key.with_name("empty")
    empty.touch()
    expected = {
        (gone, tls.tls.key): f"{gone} can't be read: No such file or directory",
        (tls.tls.certificate, gone): f"{gone} can't be read: No such file or directory",
        (other, tls.tls.key): f"{tls.tls.key} is not the key of {other}",
        (empty, tls.tls.key): "are not a certificate and its key in PEM",
        (tls.tls.certificate, locked): "are not a certificate and its key in PEM",
        (tls.tls.certificate, empty): "are not a certificate and its key in PEM",
    }
    for (certificate, key), sentence in expected.items():
        with pytest.raises(ApiError) as refused:
            certificates.Certificate(ApiTlsSettings(certificate=certificate, key=key))
        assert sentence in str(refused.value)
        assert str(refused.value).endswith("; correct 'certificate' and 'key' in [api.tls]")
