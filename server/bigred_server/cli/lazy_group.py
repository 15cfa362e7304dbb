"""A group of verbs that loads a verb only when it is called."""

import importlib
from collections.abc import Mapping
from typing import Any  # what click gives to a group

import click


class LazyGroup(click.Group):
    """Loads each verb when it is called.

    `places`: by verb, the module that defines it as `command`, or "module:name".
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs in the order of their places."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a verb; None if there is none of this name."""
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name or "command")
        return command
