"""`bigred server`."""

import logging
from pathlib import Path

import click

from bigred_server.cli.options import config_file, config_option, need_state, run, settings_of


@click.command("server")
@config_option
def command(config: Path | None) -> None:
    """Run the deploy server until it is stopped (SIGTERM or Ctrl-C).

    If it is killed in the middle of a deployment, it carries on when it is started again.
    """
    file = config_file(config)
    settings = settings_of(file)
    need_state(settings)
    # Imported late: everything that the server uses takes a second to load.
    from bigred_broker import logs
    from bigred_server.daemon import serve

    logs.configure(settings.server.log_format)
    # One line per probe, and ten at the first start, would bury what matters.
    for verbose in ("httpx2", "alembic"):
        logging.getLogger(verbose).setLevel(logging.WARNING)
    run(serve(settings, file))
