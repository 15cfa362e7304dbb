"""Which retained topics the server publishes, and when it takes them over from another one."""

from dataclasses import dataclass, field

from bigred_broker.messages import AppState, BoxInfo
from bigred_broker.topics import Topics
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.mqtt_gateway.owned_topics import OwnedTopics
from bigred_server.settings import BoxSettings

APPS = ("shop", "blog")
BOXES = {f"{app}-{number}": BoxSettings(app=app) for app in APPS for number in range(3)}


@dataclass
class Published:
    """A link that notes what it is to keep."""

    now: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    def keep(self, topic: str, payload: bytes) -> None:
        assert payload
        self.now.append(topic)

    def keep_later(self, topic: str, payload: bytes) -> None:
        assert payload
        self.later.append(topic)

    def forget(self, topic: str) -> None:
        assert topic


def test_a_server_that_takes_over_an_app_announces_the_boxes_of_this_app_alone() -> None:
    leads = {app: SqliteLeadership() for app in APPS}
    owned = OwnedTopics(Topics(), BOXES, leads)
    owned.infos |= dict.fromkeys(BOXES, BoxInfo(agent="1"))
    link = Published()
    owned.keep_state(link, AppState(app="shop"))  # type: ignore[arg-type]
    assert all("shop" in topic and "blog" not in topic for topic in link.later), link.later
    assert len(set(link.later)) == 3
    link.later.clear()
    owned.keep_state(link, AppState(app="shop"))  # type: ignore[arg-type]
    assert link.later == []
    leads["shop"] = SqliteLeadership(token=2)
    owned.keep_state(link, AppState(app="shop"))  # type: ignore[arg-type]
    assert len(set(link.later)) == 3
