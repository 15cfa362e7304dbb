"""What a link does about others who publish on its topics."""

import asyncio
from dataclasses import dataclass, field

import pytest

from bigred_broker import repetitions, retained_messages
from bigred_broker.retained_messages import RetainedMessages

TOPIC, OURS, THEIRS = "bigred/box/red/state", b"ours", b"theirs"
STATUS = "bigred/box/red/status"
STEP_S = 0.02


@dataclass
class Owner:
    """Messages that are kept, and what was published and reported."""

    owns: bool = True
    published: list[tuple[str, bytes]] = field(default_factory=list)
    reports: list[tuple[str, int]] = field(default_factory=list)
    messages: RetainedMessages = field(init=False)

    def __post_init__(self) -> None:
        self.messages = RetainedMessages(
            "red",
            STATUS,
            lambda topic, payload: self.published.append((topic, payload)),
            lambda _topic: self.owns,
            lambda topic, count: self.reports.append((topic, count)),
        )
        self.messages.keep(TOPIC, OURS)
        self.published.clear()


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Owner:
    """Return an owner for whom a second is short."""
    monkeypatch.setattr(repetitions, "ECHO_S", STEP_S)
    monkeypatch.setattr(repetitions, "GAP_S", 2 * STEP_S)
    monkeypatch.setattr(retained_messages, "REPORT_S", 10 * STEP_S)
    return Owner()


async def passed(steps: float) -> None:
    """Wait until timers of so many steps have run."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_later(steps * STEP_S, done.set_result, None)
    await done


async def test_the_messages_of_a_minute_are_one_report(owner: Owner) -> None:
    for _ in range(3):
        owner.messages.saw(TOPIC, THEIRS)
    await passed(1.5)
    assert (owner.published, owner.reports) == ([(TOPIC, OURS)], [(TOPIC, 3)])
    for _ in range(3):
        owner.messages.saw(TOPIC, THEIRS)
        owner.messages.saw(TOPIC, b"")
        await passed(2.5)
    assert len(owner.published) == 4
    await passed(10)
    assert owner.reports == [(TOPIC, 3), (TOPIC, 6)]


async def test_ours_ends_it_whoever_publishes_it(owner: Owner) -> None:
    owner.messages.saw(TOPIC, THEIRS)
    owner.messages.saw(TOPIC, OURS)
    await passed(3)
    owner.messages.saw(TOPIC, THEIRS)
    owner.messages.keep(TOPIC, b"newer")
    await passed(3)
    assert (owner.published, owner.reports) == ([(TOPIC, b"newer")], [])


@pytest.mark.parametrize("end", ["forget", "disconnected", "close", "lose"])
async def test_nothing_follows_the_end(owner: Owner, end: str) -> None:
    owner.messages.saw(TOPIC, THEIRS)
    match end:
        case "forget":
            owner.messages.forget(TOPIC)
        case "disconnected":
            owner.messages.disconnected()
        case "close":
            owner.messages.close()
        case _:
            owner.owns = False
    await passed(3)
    assert (owner.published, owner.reports) == ([], [])


async def test_what_is_not_kept_is_not_defended(owner: Owner) -> None:
    owner.messages.saw("bigred/box/blue/state", THEIRS)
    owner.messages.forget(TOPIC)
    owner.messages.saw(TOPIC, THEIRS)
    owner.messages.keep(TOPIC, OURS)
    owner.owns = False
    owner.messages.saw(TOPIC, THEIRS)
    await passed(3)
    assert (owner.published, owner.reports) == ([(TOPIC, OURS)], [])
