"""The `bigred` command, for people who run the server and people who submit releases.

Each verb is loaded only when it is called, so that a hook does not load all of them.
"""

import gc
import os
import sys

import click

from bigred_server.cli.lazy_group import LazyGroup

_VERBS = {
    "init": ("bigred_server.cli.init", "Write a starter configuration."),
    "config": ("bigred_server.cli.config", "Explain the keys of the configuration file."),
    "mosquitto": ("bigred_server.cli.mosquitto", "Print a Mosquitto configuration."),
    "server": ("bigred_server.cli.server", "Run the deploy server."),
    "submit": ("bigred_server.cli.submit", "Submit a WAR as a release."),
    "status": ("bigred_server.cli.status", "Show releases, nodes and the running deployment."),
    "plan": ("bigred_server.cli.plan", "Show what a deployment would do; nothing is touched."),
    "deploy": ("bigred_server.cli.deploy", "Make a release live and follow it."),
    "hold": ("bigred_server.cli.command:hold", "Hold the running deployment."),
    "continue": ("bigred_server.cli.command:continue_", "Continue a held deployment."),
    "abort": ("bigred_server.cli.command:abort", "Abort the running deployment."),
    "rollback": ("bigred_server.cli.rollback", "Roll back to the last good release."),
    "history": ("bigred_server.cli.history", "List deployments."),
    "show": ("bigred_server.cli.show", "Show one deployment with its receipt."),
    "node": ("bigred_server.cli.node", "Put a node into service, or take it out."),
    "release": ("bigred_server.cli.release", "List and manage releases."),
    "build": ("bigred_server.cli.build", "List builds and print their logs."),
    "hook": ("bigred_server.cli.hook", "Make a repository submit every push."),
    "backup": ("bigred_server.cli.backup", "Back up the journal and the releases."),
    "restore": ("bigred_server.cli.restore", "Restore a backup."),
    "token": ("bigred_server.cli.token", "Create, list and revoke tokens for the HTTP API."),
    "doctor": (
        "bigred_server.cli.doctor",
        "Find problems that would lose requests, and how to fix them.",
    ),
    "demo": ("bigred_server.cli.demo", "Deploy to real Tomcats on this machine."),
}


class _Verbs(LazyGroup):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in _VERBS.items()])


@click.group(
    cls=_Verbs,
    places={verb: place for verb, (place, _) in _VERBS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="bigred")
def bigred() -> None:
    """Deploy a WAR to Tomcats behind HAProxy without losing a request.

    A red USB button does it, or these commands.
    """
    # By now the verb is loaded. What it loaded stays, so no collection needs to look through it.
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def main() -> None:
    """Run the command. Print an error as one sentence, never a traceback, and exit with 1."""
    # Until the verb is loaded, there is no garbage, and to look for it takes a tenth of the time.
    gc.disable()
    # There are no plugins of pydantic; to look for some reads the metadata of all libraries.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        bigred.main(prog_name="bigred", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"bigred: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except _refusals() as error:
        click.echo(f"bigred: {error}", err=True)
        sys.exit(1)


def _refusals() -> tuple[type[Exception], ...]:
    """Return the errors whose message is for people; loaded only once there is an error."""
    from bigred_broker.config import ConfigError
    from bigred_broker.mosquitto import ListenerError
    from bigred_broker.program import ProgramError
    from bigred_server.errors import BigredError

    return BigredError, ConfigError, ListenerError, ProgramError
