"""Opens an SSH connection, and explains what to do if that fails."""

import asyncio
import os

import asyncssh

from bigred_server.errors import NodeError
from bigred_server.settings import SshSettings

CONNECT_DEADLINE_S = 5.0
_KEEPALIVE_S = 5.0
_KEEPALIVES = 3

asyncssh.set_log_level("WARNING")  # it logs every command and every connection


async def connect(settings: SshSettings) -> asyncssh.SSHClientConnection:
    """Open a connection. Raise NodeError, which says what to fix."""
    known = await asyncio.to_thread(_known_hosts, settings)
    where = f"{settings.host}:{settings.port}"
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            return await asyncssh.connect(
                settings.host,
                settings.port,
                config=None,
                known_hosts=known,
                username=settings.user or (),
                client_keys=[str(settings.key)] if settings.key else (),
                # If a key is configured, an agent's keys would only use up sshd's login attempts.
                agent_path=None if settings.key else (),
                preferred_auth="publickey",
                password_auth=False,
                kbdint_auth=False,
                gss_auth=False,
                gss_kex=False,
                compression_algs=["none"],
                keepalive_interval=_KEEPALIVE_S,
                keepalive_count_max=_KEEPALIVES,
            )
    except TimeoutError as error:
        raise NodeError(
            f"{where} did not accept us within {CONNECT_DEADLINE_S:g} s; is the machine up, and "
            "does its firewall let this machine through?"
        ) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise NodeError(_untrusted(settings, known, str(error.reason))) from error
    except asyncssh.PermissionDenied as error:
        raise NodeError(_denied(settings)) from error
    except asyncssh.Error as error:
        raise NodeError(f"{where} can't be reached by SSH: {error.reason}") from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise NodeError(
            f"the key {settings.key} can't be used: {error}; it must be a private key without a "
            "passphrase"
        ) from error
    except OSError as error:
        raise NodeError(_unreachable(settings, error)) from error


def _known_hosts(settings: SshSettings) -> asyncssh.SSHKnownHosts:
    """Read known_hosts. Given the path of an empty file, asyncssh would use the user's own."""
    try:
        return asyncssh.import_known_hosts(settings.known_hosts.read_text())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NodeError(
            f"known_hosts {settings.known_hosts} can't be read: {reason}; {_keyscan(settings)}"
        ) from error


def _keyscan(settings: SshSettings) -> str:
    return (
        f"add the host key with `ssh-keyscan -p {settings.port} {settings.host} >> "
        f"{settings.known_hosts}` and compare it with the key on the host"
    )


def _untrusted(settings: SshSettings, known: asyncssh.SSHKnownHosts, reason: str) -> str:
    keys = known.match(settings.host, "", settings.port)
    where = f"{settings.host}:{settings.port}"
    if not any(keys):
        return f"{where} is not in {settings.known_hosts}; {_keyscan(settings)}"
    return (
        f"{where} has another key than the one in {settings.known_hosts} ({reason}): the "
        "connection may be intercepted; if the host was reinstalled, delete its old line from that "
        "file and " + _keyscan(settings)
    )


def _denied(settings: SshSettings) -> str:
    user = settings.user or "the user that this server runs as"
    key = f"the key {settings.key}" if settings.key else "any key of the SSH agent or of ~/.ssh"
    return (
        f"{settings.host}:{settings.port} does not accept {key} for {user}; add its public half "
        "to ~/.ssh/authorized_keys there"
    )


def _unreachable(settings: SshSettings, error: OSError) -> str:
    if settings.key and error.filename == os.fspath(settings.key):
        return (
            f"the key {settings.key} can't be read: {error.strerror}; set ssh.key to a readable key"
        )
    reason = error.strerror or error
    return f"{settings.host}:{settings.port} can't be reached: {reason}; is sshd running?"
