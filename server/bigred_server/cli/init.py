"""`bigred init`."""

from pathlib import Path

import click

from bigred_server.cli import table
from bigred_server.cli.options import LOCAL_CONFIG, run
from bigred_server.errors import HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.rows import not_a_node
from bigred_server.haproxy.survey import Survey, is_local, survey
from bigred_server.settings import example
from bigred_server.settings.reference import parse
from bigred_server.settings.site import EXAMPLE, TCP, SiteSurvey
from bigred_server.settings.starter import starter
from bigred_server.settings.tailor import tailored
from bigred_server.tomcat import installed


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=LOCAL_CONFIG)
@click.option(
    "--haproxy",
    "sockets",
    multiple=True,
    metavar="SOCKET",
    help="Read the nodes from the HAProxy with this Runtime API, a path or host:port. Repeat it if "
    "there are several HAProxies.",
)
@click.option("--backend", help="The backend of the app. Without it, all backends are listed.")
@click.option("--full", is_flag=True, help="Write every key, with its meaning and its default.")
def command(path: Path, sockets: tuple[str, ...], backend: str | None, full: bool) -> None:
    """Write a starter configuration to PATH (bigred.toml).

    It has only what your site must say; `bigred config` explains every other key. An existing file
    is never overwritten.
    """
    if backend and not sockets:
        raise click.UsageError("--backend needs --haproxy: which HAProxy has it?")
    if sockets and not backend:
        _list(sockets)
        return
    if path.exists():
        raise _exists(path)
    site = run(_survey(sockets, backend)) if backend else EXAMPLE
    _write(path, tailored(parse(example()), site) if full else starter(site))
    if site.is_tcp:
        click.echo(f"Backend {site.backend} is in mode tcp: {TCP}")
    click.echo(f"Wrote {path}. Edit the lines marked EDIT, then run: bigred doctor --config {path}")
    click.echo(f"Start the server with: bigred server --config {path}")


async def _survey(sockets: tuple[str, ...], backend: str) -> SiteSurvey:
    seen = [await survey(socket) for socket in sockets]
    first = seen[0]
    for one in seen:
        if backend not in one.backends:
            there = ", ".join(one.backends) or "none"
            raise HaproxyError(
                f"HAProxy at {one.address} has no backend {backend!r}; it has: {there}"
            )
        if not one.backends[backend]:
            raise HaproxyError(
                f"HAProxy at {one.address}: backend {backend!r} has no servers; choose another"
            )
        if _servers(one, backend) != _servers(first, backend):
            raise HaproxyError(
                f"HAProxy at {one.address} has different servers in {backend!r} from the one at "
                f"{first.address}; make them the same first"
            )
    home = "" if is_local(first.address) else first.address.rpartition(":")[0].strip("[]")
    looks = [await Backend(one.address, backend).look() for one in seen]
    look = looks[0]
    found = {name: what for name, row in look.servers.items() if (what := not_a_node(row))}
    left_out = found if len(found) < len(look.servers) else {}
    return SiteSurvey(
        sockets,
        backend,
        [one for one in first.backends[backend] if one.name not in left_out],
        _check_uri(first.proxy(backend)),
        home,
        others=tuple(dict.fromkeys(name for one in looks for name in one.sharing)),
        left_out=left_out,
        tomcat=installed.service(),
        is_tcp=look.is_tcp,
    )


def _check_uri(proxy: Proxy | None) -> str:
    """Return what HAProxy checks; "" if that is not certain."""
    found = {one.check_uri for one in (proxy, *proxy.others)} if proxy else set()
    return found.pop() if len(found) == 1 else ""


def _servers(seen: Survey, backend: str) -> list[tuple[str, str]]:
    return sorted((one.name, one.address) for one in seen.backends[backend])


def _list(sockets: tuple[str, ...]) -> None:
    rows = [
        (name, ", ".join(one.name for one in servers) or "-")
        for socket in sockets
        for name, servers in run(survey(socket)).backends.items()
    ]
    table.write(rows, ("backend", "servers"))
    click.echo("Choose the app's backend with --backend.")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise click.ClickException(
            f"can't write {path}: {error.strerror}; choose a file in a folder that you can write to"
        ) from error


def _exists(path: Path) -> click.ClickException:
    return click.ClickException(f"{path} already exists; it was not changed")
