"""The items and builds of the fake Jenkins, and its pages, which are those of Jenkins 2.528.

The pages include fields that nothing here reads.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any  # pages are JSON

_RUN = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
_JOB = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
_CLASSES = {
    "waiting": "WaitingItem",
    "blocked": "BlockedItem",
    "buildable": "BuildableItem",
    "cancelled": "LeftItem",
    "left": "LeftItem",
}


@dataclass
class FakeItem:
    """An item of the queue. `state`: waiting, blocked, buildable, cancelled or left.

    `user` requested it first; requests of `others` were folded into it.
    """

    id: int
    parameters: dict[str, str]
    user: str
    state: str = "waiting"
    why: str | None = "In the quiet period. Expires in 4.9 sec"
    number: int | None = None
    since: float = field(default_factory=time.time)
    others: list[str] = field(default_factory=list)

    @property
    def has_left(self) -> bool:
        """Whether it has left the queue."""
        return self.state in ("cancelled", "left")


@dataclass
class FakeBuild:
    """A build; `result`: None while it is running. `stages`: None if it is not a Pipeline.

    `stops`: how it was asked to stop, in order; it ignores the first `stubborn` requests.
    """

    number: int
    item: FakeItem
    result: str | None = None
    building: bool = True
    console: str = ""
    stages: list[dict[str, Any]] | None = None
    estimated_ms: int = 60_000
    stubborn: int = 0
    stops: list[str] = field(default_factory=list)
    since: float = field(default_factory=time.time)


@dataclass(frozen=True)
class FakeAnswer:
    """An answer to a request."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def page(value: Mapping[str, Any]) -> FakeAnswer:
    """Return a page of JSON."""
    return FakeAnswer(200, json.dumps(value).encode(), (("x-jenkins", "2.528.1"),))


def of_queue(items: Iterable[FakeItem], job: str) -> FakeAnswer:
    """Return the page of the queue; `job`: the address of the job that its items belong to."""
    waiting = [_item(item, job) for item in items if not item.has_left]
    return page({"_class": "hudson.model.Queue", "items": waiting})


def of_item(item: FakeItem, job: str) -> FakeAnswer:
    """Return the page of an item of the queue."""
    return page(_item(item, job))


def of_job(
    fields: Mapping[str, Any],
    parameters: Mapping[str, list[str] | None],
    builds: Iterable[FakeBuild],
) -> FakeAnswer:
    """Return the page of a job with its parameters and its builds, the newest first."""
    definitions = [
        {
            "_class": f"hudson.model.{'Choice' if choices else 'String'}ParameterDefinition",
            "name": name,
            **({"choices": choices} if choices else {}),
        }
        for name, choices in parameters.items()
    ]
    takes = {
        "_class": "hudson.model.ParametersDefinitionProperty",
        "parameterDefinitions": definitions,
    }
    discards = {"_class": "jenkins.model.BuildDiscarderProperty"}
    return page(
        {
            "_class": _JOB,
            **fields,
            "property": [discards, *([takes] if definitions else [])],
            "builds": [
                {
                    "_class": _RUN,
                    "number": build.number,
                    "queueId": build.item.id,
                    "timestamp": int(build.since * 1000),
                    "actions": _actions(build.item),
                }
                for build in builds
            ],
        }
    )


def of_build(build: FakeBuild, job: str) -> FakeAnswer:
    """Return the page of a build."""
    return page(
        {
            "_class": _RUN,
            "building": build.building,
            "displayName": f"#{build.number}",
            "duration": 0 if build.building else int((time.time() - build.since) * 1000),
            "estimatedDuration": build.estimated_ms,
            "number": build.number,
            "result": build.result,
            "timestamp": int(build.since * 1000),
            "url": f"{job}{build.number}/",
        }
    )


def of_stages(build: FakeBuild) -> FakeAnswer:
    """Return the stages of a Pipeline as the plugin Pipeline: Stage View does."""
    return page(
        {
            "id": str(build.number),
            "name": f"#{build.number}",
            "status": build.result or "IN_PROGRESS",
            "stages": build.stages,
        }
    )


def of_console(build: FakeBuild, start: int) -> FakeAnswer:
    """Return the console's output from byte `start` on."""
    text = build.console.encode()
    more = (("x-more-data", "true"),) if build.building else ()
    headers = (("x-text-size", str(len(text))), ("content-type", "text/plain;charset=UTF-8"), *more)
    return FakeAnswer(200, text[start:], headers)


def _item(item: FakeItem, job: str) -> dict[str, Any]:
    return {
        "_class": f"hudson.model.Queue${_CLASSES[item.state]}",
        "actions": _actions(item),
        "blocked": item.state == "blocked",
        "buildable": item.state == "buildable",
        "id": item.id,
        "inQueueSince": int(item.since * 1000),
        "stuck": False,
        "task": {"_class": _JOB, "url": job},
        "why": item.why,
        **({"cancelled": item.state == "cancelled"} if item.has_left else {}),
        **({"executable": {"number": item.number}} if item.number is not None else {}),
    }


def _actions(item: FakeItem) -> list[dict[str, Any]]:
    causes = [
        {"_class": "hudson.model.Cause$UserIdCause", "userId": user}
        for user in (item.user, *item.others)
    ]
    values = [
        {"_class": "hudson.model.StringParameterValue", "name": name, "value": value}
        for name, value in item.parameters.items()
    ]
    return [
        {},
        {"_class": "hudson.model.ParametersAction", "parameters": values},
        {"_class": "hudson.model.CauseAction", "causes": causes},
    ]
