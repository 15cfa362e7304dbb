"""`bigred init`."""

from pathlib import Path

import click

from bigred_server.cli.options import LOCAL_CONFIG, run
from bigred_server.errors import HaproxyError


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=LOCAL_CONFIG)
@click.option(
    "--haproxy",
    "sockets",
    multiple=True,
    metavar="SOCKET",
    help="Fill the nodes in by asking the HAProxy at this Runtime API, a path or host:port. "
    "Several before one app: give it several times.",
)
@click.option("--backend", help="The backend to take them from; without it, they are listed.")
def command(path: Path, sockets: tuple[str, ...], backend: str | None) -> None:
    """Write an annotated configuration file to PATH (bigred.toml); never over one that is there."""
    from bigred_server.settings import example

    if backend and not sockets:
        raise click.UsageError("--backend needs --haproxy: which HAProxy has it?")
    if sockets and not backend:
        _list(sockets)
        return
    _refuse_to_overwrite(path)
    _write(path, run(_filled_in(example(), sockets, backend)) if backend else example())
    then = "Edit the lines marked EDIT" if backend else "Edit it"
    click.echo(f"{path} is written. {then}, then run: bigred server --config {path}")


async def _filled_in(example: str, sockets: tuple[str, ...], backend: str) -> str:
    from bigred_server.blueprint import Site, tailored
    from bigred_server.haproxy import configfile
    from bigred_server.haproxy.survey import Survey, is_local, survey

    def servers(seen: Survey) -> list[tuple[str, str]]:
        return sorted((one.name, one.address) for one in seen.backends[backend])

    seen = [await survey(socket) for socket in sockets]
    for one in seen:
        if backend not in one.backends:
            there = ", ".join(one.backends) or "none"
            raise HaproxyError(
                f"HAProxy at {one.address} has no backend {backend!r}; it has: {there}"
            )
        if not one.backends[backend]:
            raise HaproxyError(
                f"HAProxy at {one.address}: backend {backend!r} has no servers; name another"
            )
        if servers(one) != servers(seen[0]):
            raise HaproxyError(
                f"HAProxy at {one.address} has other servers in {backend!r} than the one at "
                f"{seen[0].address}; make them alike first"
            )
    first = seen[0]
    proxy = configfile.proxy(configfile.parse(first.config or ""), backend)
    path = proxy.check_path if proxy else ""
    home = "" if is_local(first.address) else first.address.rpartition(":")[0].strip("[]")
    return tailored(example, Site(sockets, backend, first.backends[backend], path, home))


def _list(sockets: tuple[str, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    from bigred_server.haproxy.survey import survey

    table = Table("backend", "servers", box=None)
    for socket in sockets:
        for name, servers in run(survey(socket)).backends.items():
            table.add_row(name, ", ".join(one.name for one in servers) or "-")
    Console(highlight=False).print(table)
    click.echo("Name one with --backend, and its servers are filled in.")


def _refuse_to_overwrite(path: Path) -> None:
    if path.exists():
        raise click.ClickException(f"{path} is there already; it was not touched")


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise click.ClickException(f"{path} is there already; it was not touched") from error
    except OSError as error:
        raise click.ClickException(
            f"{path} can't be written: {error.strerror}; name a file in a folder of yours"
        ) from error
