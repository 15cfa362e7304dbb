"""The page of a deployment: what `bigred show` prints, as a page that needs nothing else."""

from dataclasses import replace
from html.parser import HTMLParser

from bigred_broker.messages import Phase
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.event_record import EventRecord
from bigred_server.rollout.core.observation import Counters
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.loop.receipt import receipt
from bigred_server.rollout.loop.request_counter import Counted
from bigred_server.web import receipt_page

RECORD = DeploymentRecord(
    "d-1", "shop", "d", None, "ada", 0.0, phase=Phase.SUCCEEDED, nodes=("a", "b"), ended_at=9.0
)
EVENTS = [EventRecord(1, "d-1", 1.0, "phase", None, "1.1.0 is live on 2 nodes")]
JOB = {
    "app": "site",
    "release": "build 57",
    "outcome": "failed",
    "seconds": 9.0,
    "who": "ada",
    "reason": "Jenkins reports FAILURE",
    "jenkins": {"url": "https://jenkins/job/site/57/"},
}


class Reader(HTMLParser):
    """Reads the texts of a page, and fails if its tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _attributes: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts(record: DeploymentRecord, events: list[EventRecord]) -> list[str]:
    reader = Reader()
    reader.feed(receipt_page.of_deployment(record, "1.1.0", events, 10.0))
    assert reader.open == []
    return reader.texts


def test_the_page_shows_outcome_receipt_nodes_and_events() -> None:
    made = receipt(RECORD, "1.1.0", [], Counted(Counters(1000, 0, 2)), Policy(min_healthy=1), 9.0)
    found = texts(replace(RECORD, receipt=made), EVENTS)
    assert "shop 1.1.0: succeeded" in found
    assert "requested by ada at 1970-01-01 00:00:00 UTC" in found
    assert "shop 1.1.0: succeeded on 2 nodes in 9.0 s, by ada" in found
    assert "1000 requests during the deployment: 0 failed, 2 retried" in found
    assert {"node", "drain", "a", "b", "1.1.0 is live on 2 nodes"} <= set(found)


def test_a_finished_page_is_not_loaded_again() -> None:
    assert "refresh" not in receipt_page.of_deployment(RECORD, "1.1.0", [], 10.0)
    running = replace(RECORD, phase=Phase.ROLLING, ended_at=None)
    assert "refresh" in receipt_page.of_deployment(running, "1.1.0", [], 10.0)
    assert "as of 1970-01-01 00:00:10 UTC" in texts(running, [])


def test_a_deployment_by_jenkins_names_its_build() -> None:
    found = texts(replace(RECORD, receipt=JOB), [])
    assert "https://jenkins/job/site/57/" in found
    assert any("Jenkins reports FAILURE" in text for text in found)
