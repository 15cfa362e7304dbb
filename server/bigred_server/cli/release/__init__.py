"""`bigred release`: the releases of an app, what became of each, and which WARs are kept."""

import click

from bigred_server.cli.lazy_group import LazyGroup

_PLACES = {
    "list": "bigred_server.cli.release.list:list_",
    "show": "bigred_server.cli.release.show:show",
    "promote": "bigred_server.cli.release.promote:promote",
    "reject": "bigred_server.cli.release.promote:reject",
    "clear": "bigred_server.cli.release.clear:clear",
    "prune": "bigred_server.cli.release.prune:prune",
}


@click.group("release", cls=LazyGroup, places=_PLACES)
def command() -> None:
    """List and manage releases.

    A release is named by its version, or by 8 or more digits that its SHA-256 begins with.
    """
