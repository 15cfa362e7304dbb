"""Notices: who is notified of what, and that nothing waits for them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.until import until

from bigred_broker.messages import AppEvent, AppEventType, Phase
from bigred_server.journal import api_tokens, deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model import receipt_link
from bigred_server.model.build import Build
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Change, Release, Stage
from bigred_server.notify import notice, notifier
from bigred_server.notify.notice import Notice
from bigred_server.notify.notifier import Notifier
from bigred_server.settings.notify import NotifySettings, When

OLD, NEW = "1" * 64, "2" * 64
LIVE = Release("shop", OLD, "1.4.1", "1.4.1", Stage.LIVE, 1.0, commit="a")
CHANGES = (Change("c", "Linus", "Make it fast"), Change("b", "Ada", "Make it right"))
READY = Release("shop", NEW, "1.4.2", "1.4.2", Stage.READY, 2.0, author="Ada", changes=CHANGES)
RECORD = DeploymentRecord("d-1", "shop", NEW, OLD, "office", 10.0, phase=Phase.SUCCEEDED)
BUILD = Build("b-1", 7, "shop", "abc", "main", "ada", 1.0, Stage.FAILED, "unit", "exit 1")


def test_a_live_release_is_announced_with_who_what_and_where() -> None:
    message = notice.of_deployment(When.SUCCEEDED, RECORD, READY, LIVE, "https://x/d-1")
    assert (message.title, message.kind) == ("shop 1.4.2 is live", "success")
    assert message.body.splitlines() == [
        "requested by office",
        "2 changes since 1.4.1:",
        "- Make it fast (Linus)",
        "- Make it right (Ada)",
        "receipt: https://x/d-1",
    ]


def test_a_rollback_is_announced_with_the_reason() -> None:
    record = replace(RECORD, phase=Phase.ROLLED_BACK, reason="shop 1.4.2 failed 11 of 60 requests")
    message = notice.of_deployment(When.ROLLED_BACK, record, READY, None, "bigred show d-1")
    assert (message.title, message.kind) == ("shop 1.4.2 was rolled back", "warning")
    assert "shop 1.4.2 failed 11 of 60 requests" in message.body


def test_of_many_changes_the_newest_are_named() -> None:
    many = tuple(Change(f"{n}", "Ada", f"change {n}") for n in range(50))
    message = notice.of_candidate(replace(READY, changes=many), LIVE)
    assert message.title == "shop 1.4.2 by Ada is ready to be deployed"
    assert message.body.startswith("50 changes since 1.4.1:\n- change 0 (Ada)\n")
    assert message.body.endswith("- change 19 (Ada)\n- and 30 more")


def test_a_failed_build_is_announced_with_the_place_of_its_log() -> None:
    message = notice.of_build(BUILD)
    assert message.title == "shop build 7 failed"
    assert "failed: exit 1" in message.body
    assert "bigred build log 7 unit" in message.body


def test_every_phase_that_can_be_announced_has_a_title() -> None:
    for when in notice.OF_PHASE.values():
        assert notice.of_deployment(when, RECORD, READY, LIVE, "x").title


# --- the notifier --------------------------------------------------------------------------------


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "bigred.db")
    async with opened.write() as connection:
        for release in (LIVE, READY):
            await releases.add(connection, release)
        await deployments.add(connection, RECORD)
        repair = replace(RECORD, id="d-2", mends="node1", ended_at=20.0)
        await deployments.change(connection, "d-1", ended_at=20.0)
        await deployments.add(connection, repair)
    yield opened
    await opened.close()


class Sent:
    """Records notices instead of sending them by apprise."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.fails = False

    def receive(self, _settings: NotifySettings, message: Notice) -> bool:
        self.notices.append(message)
        if self.fails:
            raise OSError("no route")
        return True


def event(
    kind: AppEventType, deployment: str | None = None, phase: Phase | None = None
) -> AppEvent:
    return AppEvent(event_type=kind, app="shop", at="now", deployment=deployment, phase=phase)


async def test_only_those_who_asked_are_notified(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent()
    monkeypatch.setattr(notifier, "_notify", sent.receive)
    team = NotifySettings(urls=("json://x",), events=(When.SUCCEEDED, When.BUILD_FAILED))
    quiet = NotifySettings(urls=("json://x",), events=(When.ABORTED,))
    sender = Notifier({"shop": {"team": team, "quiet": quiet}}, db, "https://bigred/")
    async with db.read() as connection:
        secret = await api_tokens.link_secret(connection)
    sender.receive(event(AppEventType.NODE))
    sender.receive(event(AppEventType.CANDIDATE))
    sender.receive(event(AppEventType.PHASE, "d-2", Phase.SUCCEEDED))
    sender.receive(event(AppEventType.PHASE, "d-1", Phase.ROLLING))
    sender.receive(event(AppEventType.PHASE, "d-1", Phase.SUCCEEDED))
    sender.receive_build(replace(BUILD, stage=Stage.READY))
    sender.receive_build(BUILD)
    running = asyncio.create_task(sender.run())
    await until(lambda: len(sent.notices) >= 2, 10, "two notices are sent")
    running.cancel()
    assert [one.title for one in sent.notices] == ["shop 1.4.2 is live", "shop build 7 failed"]
    receipt = receipt_link.link("https://bigred", secret, "d-1")
    assert receipt.startswith("https://bigred/deployments/d-1?key=")
    assert f"receipt: {receipt}" in sent.notices[0].body


async def test_an_unreachable_recipient_delays_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Sent()
    sent.fails = True
    monkeypatch.setattr(notifier, "_notify", sent.receive)
    monkeypatch.setattr(notifier, "_WAITING", 3)
    sender = Notifier({"shop": {"team": NotifySettings(urls=("json://x",))}}, db)
    for _ in range(200):
        sender.receive_build(BUILD)
    running = asyncio.create_task(sender.run())
    await until(lambda: len(sent.notices) >= 2, 10, "two notices are sent")
    running.cancel()


def test_a_table_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="no recipient: set urls or urls_file"):
        NotifySettings()
