"""The flags of `bigred-agent run`, which override the configuration file."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bigred_agent.settings import AgentSettings
from bigred_broker.config import ConfigError


@dataclass(frozen=True)
class Flags:
    """The flags given on the command line; None or False means not given."""

    name: str | None = None
    broker: str | None = None
    simulated: Path | None = None
    keyboard: bool = False
    muted: bool = False
    log_style: str | None = None


def applied(settings: AgentSettings, flags: Flags) -> AgentSettings:
    """Return the settings with the flags applied. Raises ConfigError naming the invalid key."""
    values = settings.model_dump()
    if flags.name is not None:
        values["box"]["name"] = flags.name
    if flags.broker is not None:
        host, port = _address(flags.broker, settings.broker.port)
        values["broker"] |= {"host": host, "port": port}
    if flags.simulated is not None or flags.keyboard:
        values["button"] |= {
            "kind": "simulated",
            "socket": flags.simulated or settings.button.socket,
            "keyboard": flags.keyboard or settings.button.keyboard,
        }
    if flags.muted:
        values["voice"]["muted"] = True
    if flags.log_style is not None:
        values["log"]["style"] = flags.log_style
    try:
        return AgentSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {first['msg']}") from error


def _address(text: str, default_port: int) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        return text, default_port
    if not port.isdigit():
        raise ConfigError(f"--broker {text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
