"""`[apps.NAME]` with `driver = "jenkins"`: an app whose deployments are runs of a Jenkins job."""

import string
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bigred_broker.messages import Id
from bigred_broker.settings import Section
from bigred_server.settings.deadlines import Seconds
from bigred_server.settings.notify import NotifySettings

PLACEHOLDERS = ("app", "deployment", "who")


def _has_known_placeholders(text: str) -> str:
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    try:
        named = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; write {{{{ and }}}} for literal braces") from error
    for name in named:
        if name not in PLACEHOLDERS:
            raise ValueError(f"{text!r}: unknown placeholder {{{name}}}; available: {known}")
    return text


def _is_a_path_of_names(job: str) -> str:
    if not all(part.strip() for part in job.split("/")):
        raise ValueError(f"{job!r} must be the job's full name, as in 'folder/deploy-shop'")
    return job


class JenkinsSettings(Section):
    """`[apps.NAME.jenkins]`: the job, the user who starts it, and its parameters."""

    url: Annotated[str, Field(pattern=r"^https?://[^/?#]+(/[^?#]*)?$")]
    job: Annotated[str, AfterValidator(_is_a_path_of_names)]
    user: Annotated[str, Field(min_length=1)]
    token_file: Path
    ca: Path | None = None
    parameters: dict[str, Annotated[str, AfterValidator(_has_known_placeholders)]] = Field(
        default_factory=dict
    )
    queue_s: Seconds = 900.0
    build_s: Seconds = 3600.0
    unstable: Literal["failed", "succeeded"] = "failed"


class JenkinsAppSettings(Section):
    """`[apps.NAME]` of an app that Jenkins deploys."""

    driver: Literal["jenkins"]
    countdown_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    jenkins: JenkinsSettings
    notify: dict[Id, NotifySettings] = Field(default_factory=dict)
