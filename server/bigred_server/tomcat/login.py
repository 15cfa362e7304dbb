"""How an SSH connection is opened, and what a person can do when it is not."""

import asyncio
import os

import asyncssh

from bigred_server.errors import NodeError
from bigred_server.settings import SshSettings

CONNECT_DEADLINE_S = 5.0
_KEEPALIVE_S = 5.0
_KEEPALIVES = 3

asyncssh.set_log_level("WARNING")  # it tells every command and every connection


async def connect(settings: SshSettings) -> asyncssh.SSHClientConnection:
    """Open a connection. Raises NodeError, which says what to mend."""
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
                # With a key of its own, those of an agent would only use up sshd's patience.
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
            f"{where} did not let us in within {CONNECT_DEADLINE_S:g} s; is the machine up, and "
            "does a firewall let this one through?"
        ) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise NodeError(_distrust(settings, known, str(error.reason))) from error
    except asyncssh.PermissionDenied as error:
        raise NodeError(_shut_out(settings)) from error
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
    """Read the file. asyncssh must not get its path: for an empty file it takes the user's own."""
    try:
        return asyncssh.import_known_hosts(settings.known_hosts.read_text())
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise NodeError(
            f"known_hosts {settings.known_hosts} can't be read: {said}; {_keyscan(settings)}"
        ) from error


def _keyscan(settings: SshSettings) -> str:
    return (
        f"write the key of {settings.host} into it with `ssh-keyscan -p {settings.port} "
        f"{settings.host} >> {settings.known_hosts}` and compare it with the host's own"
    )


def _distrust(settings: SshSettings, known: asyncssh.SSHKnownHosts, said: str) -> str:
    keys = known.match(settings.host, "", settings.port)
    where = f"{settings.host}:{settings.port}"
    if not any(keys):
        return f"{where} is not in {settings.known_hosts}; {_keyscan(settings)}"
    return (
        f"{where} shows another key than {settings.known_hosts} says ({said}): somebody may stand "
        "in between; if the host was set up anew, take its old line out of that file and "
        + _keyscan(settings)
    )


def _shut_out(settings: SshSettings) -> str:
    who = settings.user or "the user that this server runs as"
    key = f"the key {settings.key}" if settings.key else "any key of the SSH agent or of ~/.ssh"
    return (
        f"{settings.host}:{settings.port} does not let {who} in with {key}; write its public half "
        "into ~/.ssh/authorized_keys there"
    )


def _unreachable(settings: SshSettings, error: OSError) -> str:
    if settings.key and error.filename == os.fspath(settings.key):
        return f"the key {settings.key} can't be read: {error.strerror}; name one in ssh.key"
    return (
        f"{settings.host}:{settings.port} can't be reached: {error.strerror or error}; is sshd up?"
    )
