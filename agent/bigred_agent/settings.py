"""The box's configuration file. The adjacent `example.toml` explains every key."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from bigred_agent.lights.patterns import DEFAULT_PATTERNS, Colour, Pattern, Patterns, alike
from bigred_agent.phrases import pack
from bigred_agent.voice.choice import AUTO_CARD, EngineChoice
from bigred_broker.messages import ANSWER_DEADLINE_S, MAX_ANSWER_DEADLINE_S
from bigred_broker.settings import BrokerSettings, LogFormat, Section
from bigred_broker.topics import ID_PATTERN

LOCAL_FILE = Path("agent.toml")
SYSTEM_FILE = Path("/etc/bigred/agent.toml")

Pin = Annotated[int, Field(ge=0, le=27)]
StepSettings = tuple[Colour, Annotated[float, Field(ge=0.02, le=60)]]


class BoxSettings(Section):
    """`[box]`: its name, and its time limits in seconds."""

    name: Annotated[str, Field(pattern=ID_PATTERN)] = "box-1"
    answer_deadline_s: Annotated[float, Field(ge=0.5, le=MAX_ANSWER_DEADLINE_S)] = ANSWER_DEADLINE_S
    outcome_light_s: Annotated[float, Field(ge=0, le=86400)] = 60.0
    settle_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    identify_s: Annotated[float, Field(ge=1, le=600)] = 10.0


class ButtonSettings(Section):
    """`[button]`: the kind of button, and how its contacts are read."""

    kind: Literal["dream-cheeky", "simulated"] = "dream-cheeky"
    poll_ms: Annotated[int, Field(ge=5, le=100)] = 15
    refractory_ms: Annotated[int, Field(ge=0, le=500)] = 60
    hold_s: Annotated[float, Field(ge=0.5, le=30)] = 3.0
    socket: Path | None = None
    keyboard: bool = False

    @model_validator(mode="after")
    def _simulated_only(self) -> Self:
        if self.kind != "simulated" and (self.socket or self.keyboard):
            raise ValueError('socket and keyboard require kind = "simulated"')
        return self


class LightsSettings(Section):
    """`[lights]`: BCM pin numbers, and patterns that replace the built-in ones."""

    enabled: bool = True
    rgb_pins: tuple[Pin, Pin, Pin] = (17, 27, 22)
    bar_pins: tuple[Pin, ...] = (5, 6, 13, 19, 26)
    active_high: bool = True
    chip: Annotated[str, Field(min_length=1)] | None = None
    patterns: dict[Pattern, Annotated[tuple[StepSettings, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _each_pin_once(self) -> Self:
        pins = (*self.rgb_pins, *self.bar_pins)
        if twice := sorted({pin for pin in pins if pins.count(pin) > 1}):
            raise ValueError(f"a pin can drive only one LED; used twice: {twice}")
        return self

    @field_validator("patterns")
    @classmethod
    def _rhythms_differ(
        cls, patterns: dict[Pattern, tuple[StepSettings, ...]]
    ) -> dict[Pattern, tuple[StepSettings, ...]]:
        for one, other in alike({**DEFAULT_PATTERNS, **patterns}):
            raise ValueError(
                f"{one} and {other} have the same rhythm; not everybody can see the colours"
            )
        return patterns

    @property
    def all_patterns(self) -> Patterns:
        """All patterns: the built-in ones, overridden by the configured ones."""
        return {**DEFAULT_PATTERNS, **self.patterns}


class VoiceSettings(Section):
    """`[voice]`: the engine, and how it sounds."""

    engine: EngineChoice = EngineChoice.AUTO
    pack: str = pack.DEFAULT_PACK
    voice: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] = "en"
    rate: Annotated[int, Field(ge=80, le=450)] = 160
    volume: Annotated[float, Field(ge=0, le=1)] = 1.0
    card: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = AUTO_CARD
    muted: bool = False

    @field_validator("pack")
    @classmethod
    def _pack_exists(cls, name: str) -> str:
        if name not in pack.names():
            raise ValueError(f"no phrase pack {name!r}; available: {', '.join(pack.names())}")
        return name


class LogSettings(Section):
    """`[log]`: the format of the log on standard error."""

    style: LogFormat = "console"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class AgentSettings(Section):
    """The whole file."""

    box: BoxSettings = BoxSettings()
    broker: BrokerSettings = BrokerSettings()
    button: ButtonSettings = ButtonSettings()
    lights: LightsSettings = LightsSettings()
    voice: VoiceSettings = VoiceSettings()
    log: LogSettings = LogSettings()


def example() -> str:
    """Return the annotated example, which `bigred-agent init` writes."""
    return resources.files(__package__).joinpath("example.toml").read_text(encoding="utf-8")
