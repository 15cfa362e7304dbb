"""`[apps.NAME.series.NAME]`: a business metric and its source."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bigred_broker.settings import Section
from bigred_server.judge.policy import SeriesPolicy
from bigred_server.model.marker import Pointer
from bigred_server.settings.node import Argv


class SeriesSettings(Section):
    """One series, with exactly one source."""

    command: Argv | None = None
    sql: str = ""
    database: Annotated[str, Field(pattern=r"^([a-z]+(\+[a-z0-9]+)?://.*)?$")] = ""
    prometheus: Annotated[str, Field(pattern=r"^(https?://[^ ]+)?$")] = ""
    query: str = ""
    mqtt: Annotated[str, Field(pattern=r"^[^+#]*$", max_length=500)] = ""
    pointer: Pointer = ""
    counts: Literal["total", "since"] = "total"
    every_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    tolerance: Annotated[float, Field(ge=0, lt=1)] = SeriesPolicy.tolerance

    @model_validator(mode="after")
    def _has_one_source(self) -> "SeriesSettings":
        given = [name for name in ("command", "sql", "prometheus", "mqtt") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("needs exactly one of command, sql, prometheus and mqtt")
        if self.sql and not self.database:
            raise ValueError("sql needs database")
        if self.prometheus and not self.query:
            raise ValueError("prometheus needs query")
        return self
