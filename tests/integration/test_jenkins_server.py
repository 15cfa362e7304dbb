"""The whole server with an app that Jenkins deploys: a box at a real Mosquitto, and a terminal."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # messages are JSON

import pytest
from tests.support import forked
from tests.support.jenkins_app import configured
from tests.support.mqtt_recorder import Recorder, mqtt_recorder

from bigred_broker import mosquitto
from bigred_broker.program import free_port, wait_until
from bigred_server.testing.jenkins import FakeJenkins

DEADLINE_S = 30.0


@dataclass
class Office:
    """A folder with a configuration, a Jenkins, and all messages at the broker."""

    folder: Path
    jenkins: FakeJenkins
    recorder: Recorder

    def bigred(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"BIGRED_CONFIG": str(self.folder / "bigred.toml")}
        return forked.run(
            *arguments, folder=self.folder, environment=environment, deadline_s=DEADLINE_S
        )

    def event(self, kind: str, number: int, armed: dict[str, Any] | None = None) -> dict[str, Any]:
        """Publish an event as the box, right after it was `armed`; return the reply."""
        fields = {"v": 1, "event_type": kind, "id": f"e-{number}", "seq": number, "boot": "b-1"}
        more = {"arming": armed["arming"], "clocks": [armed["clock"]]} if armed else {}
        body = json.dumps({**fields, **more})
        self.recorder.publish("bigred/box/office/event", body)
        self.recorder.until(lambda: bool(self.replies(number)), DEADLINE_S, f"an answer to {kind}")
        return self.replies(number)[0]

    def replies(self, number: int) -> list[dict[str, Any]]:
        replies = self.recorder.of("bigred/box/office/reply")
        return [one.body for one in replies if one.body["id"] == f"e-{number}"]

    def states(self) -> list[dict[str, Any]]:
        return [one.body for one in self.recorder.of("bigred/app/site/state")]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    port = free_port()
    jenkins = FakeJenkins()
    with ExitStack() as stack:
        stack.enter_context(mosquitto.running(tmp_path / "mqtt", port))
        url = stack.enter_context(jenkins.serving())
        office = Office(tmp_path, jenkins, stack.enter_context(mqtt_recorder(port)))
        configured(tmp_path, port, url)
        yield office
    assert jenkins.refused == []


@pytest.fixture
def running(office: Office) -> Iterator[Office]:
    log = office.folder / "server.log"

    def said() -> bool:
        return log.exists() and "the server is running" in log.read_text()

    arguments = ("server", "--config", str(office.folder / "bigred.toml"))
    with forked.running("the server", arguments, log, said):
        status = "bigred/server/status"
        office.recorder.until(
            lambda: office.recorder.last(status) == "online", DEADLINE_S, "the server at the broker"
        )
        yield office


def test_a_press_at_a_box_runs_the_job_and_everybody_follows_it(running: Office) -> None:
    jenkins = running.jenkins
    armed = running.event("lid_open", 1)
    assert (armed["answer"], armed["release"]["version"]) == ("armed", "build 57")
    accepted = running.event("press", 2, armed)
    assert accepted["answer"] == "accepted"
    wait_until(lambda: bool(jenkins.items), DEADLINE_S, "an item in the queue")
    build = jenkins.begin(next(iter(jenkins.items)), console="copying\n", estimated_ms=10_000)
    running.recorder.until(
        lambda: running.states()[-1].get("phase") == "rolling", DEADLINE_S, "that it runs"
    )
    running.recorder.until(
        lambda: bool(running.states()[-1].get("progress", {}).get("done")), DEADLINE_S, "progress"
    )
    build.console += "restarting\n"
    jenkins.finish(57, "SUCCESS")
    running.recorder.until(
        lambda: running.states()[-1].get("phase") == "succeeded", DEADLINE_S, "that it is live"
    )
    live = running.states()[-1]
    assert (live["live"]["version"], live["who"]) == ("build 57", "office")
    published = [one.body for one in running.recorder.of("bigred/app/site/event")]
    console = [event["text"] for event in published if event["event_type"] == "console"]
    assert "\n".join(console).split("\n") == ["copying", "restarting"]


def test_a_terminal_runs_the_job_follows_it_and_shows_its_outcome(running: Office) -> None:
    jenkins = running.jenkins
    status = running.bigred("status").stdout
    assert f"next: build 57 of {jenkins.url}" in " ".join(status.split())
    begun = running.bigred("deploy", "--no-wait")
    assert begun.returncode == 0, begun.stderr
    deployment = begun.stdout.split()[1]
    wait_until(lambda: bool(jenkins.items), DEADLINE_S, "an item in the queue")
    stages = [{"id": "1", "name": "Deploy", "status": "FAILED", "durationMillis": 1500}]
    jenkins.begin(next(iter(jenkins.items)), stages=stages, console="no space left\n")
    jenkins.finish(57, "FAILURE")
    followed = running.bigred("show", "--follow", deployment)
    assert "Jenkins started build 57" in followed.stdout
    assert "site build 57: failed in" in followed.stdout
    assert "Jenkins reports FAILURE" in followed.stdout
    assert "no space left" in followed.stdout
    assert "stage Deploy failed" in followed.stdout
    history = running.bigred("history").stdout
    assert "build 57" in history
    refused = running.bigred("deploy", "1.4.2")
    assert refused.returncode == 1
    assert "its job deploy-site chooses the version" in refused.stderr


@pytest.mark.parametrize(
    ("verb", "why"),
    [
        (["plan"], "site is deployed by Jenkins"),
        (["rollback"], "site is deployed by Jenkins"),
        (["deploy"], "the server is not running"),
    ],
)
def test_commands_that_do_not_apply_are_refused_with_a_sentence(
    office: Office, verb: list[str], why: str
) -> None:
    done = office.bigred(*verb)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_doctor_checks_the_job(office: Office) -> None:
    well = office.bigred("doctor")
    assert well.returncode == 0, well.stdout
    office.jenkins.buildable = False
    ill = office.bigred("doctor")
    assert ill.returncode == 1
    assert "the job deploy-site is disabled in Jenkins" in ill.stdout
