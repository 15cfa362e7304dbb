"""Lines of TOML, written so that no name and no value can break out of its place."""

import tomlkit

from bigred_server.settings.reference import KeyPath
from bigred_server.settings.site import SiteSurvey, TomlValue


def header(path: KeyPath) -> str:
    """Write the header of a table."""
    return f"[{'.'.join(map(_key, path))}]"


def line(key: str, value: TomlValue) -> str:
    """Write a key and its value."""
    return f"{_key(key)} = {_value(value)}"


def origin(site: SiteSurvey) -> str:
    """Say in a comment where the values of a site come from."""
    if site.is_example:
        return "an example site"
    return f"HAProxy at {', '.join(map(_value, site.sockets))}, backend {_value(site.backend)}"


def _key(name: str) -> str:
    return tomlkit.key(name).as_string()


def _value(value: TomlValue) -> str:
    return tomlkit.item(value).as_string()
