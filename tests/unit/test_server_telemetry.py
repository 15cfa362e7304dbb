"""Log lines and counters become looks; no client counts twice, or in the wrong cohort."""

from dataclasses import replace

import pytest
from tests.support.looks import changed, node_look
from tests.support.views import SAYS, deployment

from bigred_broker.messages import Phase
from bigred_server.haproxy.log import read
from bigred_server.judge.look import Arm, Pair, Signs, Span
from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.log_line import LogLine
from bigred_server.rollout.core.observation import Admin, NodeLook, Served
from bigred_server.rollout.core.ports import FleetLook, Observations
from bigred_server.rollout.core.target import Target
from bigred_server.telemetry.core.ages import Ages
from bigred_server.telemetry.core.baseline import Baseline, BaselineLearner
from bigred_server.telemetry.core.clients import Clients
from bigred_server.telemetry.core.comparison import signs
from bigred_server.telemetry.core.expectation import expected
from bigred_server.telemetry.core.observer import Observer
from bigred_server.telemetry.core.window import LatencySample
from bigred_server.telemetry.probes import Pages

# --- a log line ----------------------------------------------------------------------------------

GOOD = b"<134>Nov 25 12:00:00 haproxy[1]: bigred1 1000 250 shop s1 200 12 15 -- 0 777 GET /shop/a\n"


def line(at: float = 1000.0, server: str = "n", status: int = 200, **more: object) -> LogLine:
    seen: dict[str, object] = {"came": at, "took_ms": 10, "state": "--", "retries": 0}
    seen |= {"client": "c", "method": "GET", "path": "/shop/", "backend": "shop"}
    return LogLine(at=at, server=server, status=status, **(seen | more))  # type: ignore[arg-type]


def test_a_line_is_read_with_its_times() -> None:
    found = read(GOOD)
    assert found is not None
    assert (found.backend, found.server, found.status, found.took_ms) == ("shop", "s1", 200, 12)
    assert (found.came, found.at) == (1000.25, 1000.265)
    assert (found.client, found.method, found.path) == ("777", "GET", "/shop/a")


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"<134>Nov 25 12:00:00 haproxy[1]: Server shop/s1 is DOWN.",
        b"bigred1 too short",
        GOOD.replace(b"1000 250", b"yesterday 250"),
        GOOD.replace(b"/shop/a", b"/shop/a with blanks"),
        b"\xff\xfe bigred1",
    ],
)
def test_a_foreign_line_is_ignored(datagram: bytes) -> None:
    assert read(datagram) is None


@pytest.mark.parametrize(
    ("status", "state", "failed"),
    [
        (200, "--", False),
        (404, "--", False),
        (500, "--", True),
        (503, "sC", True),
        (502, "SH", True),
        (504, "sH", True),
        (200, "SD", True),
        (200, "CD", False),
        (400, "CR", False),
        (-1, "CH", False),
        (500, "CD", True),
    ],
)
def test_the_server_is_blamed_only_for_its_own_errors(
    status: int, state: str, failed: bool
) -> None:
    assert line(status=status, state=state).failed is failed


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/", "/"),
        ("/shop/", "/shop/"),
        ("/shop/order", "/shop/order"),
        ("/shop/order/17", "/shop/order"),
        ("/user/4711/cart", "/user/*"),
        ("/a/0f3c9b1e-22aa", "/a/*"),
        ("/a/averyveryverylongnameofathing", "/a/*"),
    ],
)
def test_names_and_numbers_are_replaced_in_groups(path: str, group: str) -> None:
    assert line(path=path).group == group


# --- clients -------------------------------------------------------------------------------------


def test_a_client_that_moves_counts_each_time_and_one_that_stays_counts_once() -> None:
    clients = Clients()
    assert clients.counts("a", "n1", 0.0, "/shop")
    assert not clients.counts("a", "n1", 5.0, "/shop")
    assert clients.counts("a", "n2", 10.0, "/shop")
    assert clients.counts("a", "n2", 15.0, "/shop")
    assert not clients.counts("a", "n2", 100.0, "/shop")


def test_a_client_that_always_fails_where_it_stays_fails_once() -> None:
    clients = Clients()
    found = [clients.counts("bot", "n1", 5.0 * n, "error") for n in range(20)]
    assert found == [True] + [False] * 19
    clients.begin()
    assert clients.counts("bot", "n1", 200.0, "error")


def test_clients_are_forgotten_before_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigred_server.telemetry.core.clients._MOST", 100)
    clients = Clients()
    for number in range(1000):
        clients.counts(str(number), "n1", float(number), "/shop")
    assert len(clients._last) <= 100


# --- the baseline --------------------------------------------------------------------------------


def test_the_baseline_is_frozen_by_path_group_and_kept_as_json() -> None:
    learner = BaselineLearner()
    for number in range(200):
        learner.learn(line(1000.0 + number, took_ms=number + 1, path="/shop/a"))
        learner.learn(line(1000.0 + number, status=500 if number < 4 else 200, path="/rare/x1"))
    usual = learner.frozen()
    assert usual.errors == pytest.approx(4 / 400)
    assert usual.of("/shop/a") == {0.5: 100.0, 0.9: 180.0, 0.99: 198.0}
    assert usual.of("/unknown") == usual.any_group != {}
    assert Baseline.from_json(usual.to_json()) == usual


def test_too_little_is_no_baseline() -> None:
    learner = BaselineLearner()
    for number in range(99):
        learner.learn(line(1000.0 + number))
    assert learner.frozen().of("/shop/") == {}


# --- the looks -----------------------------------------------------------------------------------

NEW, OLD = Target("new", "2"), Target("old", "1")
ON_OLD = node_look("", Admin.READY, True, True, 0, "old", True, SAYS["old"])
ON_NEW = changed(ON_OLD, digest="new", answer=SAYS["new"])
OUT = changed(ON_OLD, admin=Admin.MAINT, up=False)
GOING = deployment(Phase.CANARY, ("a", "b"), OLD, target=NEW)
POLICY = JudgePolicy(look_s=5.0, warmup_s=10.0)


def fleet(
    served: dict[str, tuple[int, ...]] | None = None, pid: int = 1, **looks: NodeLook
) -> FleetLook:
    nodes = {name: replace(look, name=name) for name, look in looks.items()}
    counts = {name: Served(*one) for name, one in (served or {}).items()}
    return FleetLook(nodes, pid, {}, served=counts)


@pytest.fixture
def observer() -> Observer:
    found = Observer(POLICY, {"a": "a", "b": "b"})
    found.begin(None)
    return found


def see(observer: Observer, now: float, look: FleetLook) -> Observations | None:
    return observer.see(look, GOING, now)


def test_each_client_counts_once_per_node_and_look(observer: Observer) -> None:
    see(observer, 0.0, fleet(a=ON_NEW, b=ON_OLD))
    see(observer, 20.0, fleet(a=ON_NEW, b=ON_OLD))
    see(observer, 20.1, fleet(a=ON_NEW, b=ON_OLD))
    for number in range(10):
        for server in "ab":
            status = 500 if server == "a" and number % 2 else 200
            observer.line(line(21.0 + number / 10, server, status, client=f"c{number % 4}"), 22.0)
    seen = see(observer, 25.2, fleet(a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.is_whole
    assert seen.look.errors == Pair(Arm(10, 4, 2), Arm(10, 4, 0))
    assert (seen.look.answered, seen.look.failed) == (10, 5)
    assert seen.look.where == {"/shop/": 5}
    assert seen.look.nodes == {"a": (5, 10)}


def test_a_node_is_not_judged_by_its_speed_before_it_is_warm(observer: Observer) -> None:
    see(observer, 0.0, fleet(a=ON_NEW, b=ON_OLD))
    observer.line(line(1.0, "a"), 1.0)
    seen = see(observer, 5.0, fleet(a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert (seen.look.errors.canary, seen.look.warming) == (Arm(), Arm(1, 1, 0))
    # It is warm, which ends the look.
    seen = see(observer, 10.0, fleet(a=ON_NEW, b=ON_OLD))
    assert seen is not None
    observer.line(line(11.0, "a"), 11.0)
    seen = see(observer, 15.0, fleet(a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert (seen.look.errors.canary, seen.look.warming) == (Arm(1, 1, 0), Arm())


def test_the_look_ends_when_a_node_changes_its_cohort(observer: Observer) -> None:
    see(observer, 0.0, fleet(a=OUT, b=ON_OLD))
    seen = see(observer, 2.0, fleet(a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.is_whole
    observer.line(line(2.5, "a", 500), 2.5)
    part = see(observer, 3.1, fleet(a=ON_NEW, b=ON_OLD))
    assert part is not None
    assert not part.is_whole
    assert part.look.warming == Arm(1, 1, 1)
    seen = see(observer, 3.3, fleet(a=changed(OUT, digest="new"), b=ON_OLD))
    assert seen is not None
    assert (seen.is_whole, seen.look.warming) == (True, Arm(1, 1, 1))


def test_a_request_that_fails_late_counts_for_the_cohort_of_its_start(observer: Observer) -> None:
    see(observer, 0.0, fleet(a=ON_NEW, b=ON_OLD))
    see(observer, 4.0, fleet(a=changed(OUT, digest="new"), b=ON_OLD))
    observer.line(line(34.0, "a", 504, came=3.0, state="sH"), 34.0)
    seen = see(observer, 34.1, fleet(a=changed(OUT, digest="new"), b=ON_OLD))
    assert seen is not None
    assert seen.look.warming == Arm(1, 1, 1)
    assert (seen.look.answered, seen.look.failed) == (1, 1)


def test_without_a_log_a_node_counts_once_per_look(observer: Observer) -> None:
    see(observer, 0.0, fleet({"a": (100, 0), "b": (300, 5)}, a=ON_NEW, b=ON_OLD))
    seen = see(observer, 5.0, fleet({"a": (150, 7), "b": (360, 5)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert (seen.look.warming, seen.look.errors.baseline) == (Arm(50, 1, 1), Arm(60, 1, 0))
    assert (seen.look.answered, seen.look.failed) == (50, 7)
    # No line arrived for requests that ended more than a look ago.
    seen = see(observer, 10.0, fleet({"a": (150, 7), "b": (360, 5)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.look.lines.lost == 110


def test_retries_are_seen_with_and_without_a_log(observer: Observer) -> None:
    see(observer, 0.0, fleet({"a": (100, 0, 3), "b": (300, 0, 0)}, a=ON_NEW, b=ON_OLD))
    seen = see(observer, 5.0, fleet({"a": (150, 0, 9), "b": (360, 0, 0)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.look.retries == Pair(Arm(50, 1, 1), Arm(60, 1, 0))
    assert (seen.look.retried, seen.look.retried_old, seen.look.failed) == (6, 0, 0)
    for server in "ab":
        observer.line(line(6.0, server), 6.0)
    seen = see(observer, 10.0, fleet({"a": (151, 0, 9), "b": (361, 0, 2)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.look.retries == Pair(Arm(1, 1, 0), Arm(1, 1, 1))
    assert (seen.look.retried, seen.look.retried_old, seen.look.failed) == (0, 2, 0)


def test_retries_before_a_visible_error_do_not_count_again(observer: Observer) -> None:
    see(observer, 0.0, fleet({"a": (0, 0, 0), "b": (0, 0, 0)}, a=ON_NEW, b=ON_OLD))
    observer.line(line(1.0, "a", 503, state="SC"), 1.0)
    seen = see(observer, 5.0, fleet({"a": (1, 1, 3), "b": (9, 0, 0)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert seen.look.warming == Arm(1, 1, 1)
    assert seen.look.retries == Pair(Arm(1, 1, 0), Arm(9, 1, 0))


def test_a_new_haproxy_counts_from_zero(observer: Observer) -> None:
    see(observer, 0.0, fleet({"a": (100, 0), "b": (300, 5)}, a=ON_NEW, b=ON_OLD))
    seen = see(observer, 5.0, fleet({"a": (3, 1), "b": (9, 0)}, pid=2, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert (seen.look.answered, seen.look.failed) == (3, 1)


def test_missing_and_late_lines_are_counted(observer: Observer) -> None:
    see(observer, 0.0, fleet({"a": (0, 0), "b": (0, 0)}, a=ON_NEW, b=ON_OLD))
    for number in range(6):
        observer.line(line(1.0, "a", client=str(number)), 4.0 if number < 2 else 1.1)
    see(observer, 4.9, fleet({"a": (10, 0), "b": (0, 0)}, a=ON_NEW, b=ON_OLD))
    seen = see(observer, 5.0, fleet({"a": (12, 0), "b": (0, 0)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    # The lines of the two newest may be on their way.
    assert (seen.look.lines.received, seen.look.lines.late, seen.look.lines.lost) == (6, 2, 4)
    # Those that arrive late are no longer missing.
    for number in range(5):
        observer.line(line(1.0, "a", client=str(number)), 6.0)
    seen = see(observer, 10.0, fleet({"a": (12, 0), "b": (0, 0)}, a=ON_NEW, b=ON_OLD))
    assert seen is not None
    assert (seen.look.lines.received, seen.look.lines.lost) == (5, -3)


def test_the_next_server_gets_the_baseline(observer: Observer) -> None:
    for number in range(300):
        observer.learner.learn(line(1000.0 + number / 10, took_ms=7))
    kept = observer.begin(None)
    other = Observer(POLICY, {"a": "a"})
    assert other.begin(kept) == kept
    assert other.usual.of("/shop/")[0.9] == 7.0


def test_each_request_is_paired_once_with_the_nearest_of_its_group() -> None:
    ours = [LatencySample(1.0, "/a", 20), LatencySample(2.0, "/a", 20), LatencySample(3.0, "/b", 5)]
    others = [
        LatencySample(1.1, "/a", 10),
        LatencySample(2.1, "/a", 30),
        LatencySample(2.9, "/b", 5),
        LatencySample(9.0, "/a", 1),
    ]
    assert signs(ours, others) == Signs(slower=1, faster=1)
    assert signs(ours, []) == Signs()


# --- ages, pages, expectations -------------------------------------------------------------------


def test_a_release_is_compared_with_nodes_of_the_same_age() -> None:
    ages = Ages()
    spans = [Span("n", 10.0 * n, 10.0, 100, 1.0, 0.0, 1, None, 9, 9) for n in range(1, 30)]
    ages.add("old", spans)
    assert [one.age_s for one in ages.like("old", spans[4])] == [40.0, 50.0, 60.0]
    assert ages.like("other", spans[4]) == []


def test_pages_are_learnt_from_requests_of_several_users() -> None:
    pages = Pages()
    for client in ("c1", "c2", "c1"):
        pages.add(line(client=client, path="/shop/a"))
        pages.add(line(client="c1", path="/shop/own"))
        pages.add(line(client=client, path="/shop/order", method="POST"))
        pages.add(line(client=client, path="/shop/bad", status=500))
    assert pages.known() == ["/shop/a"]


DAY = 86_400


@pytest.mark.parametrize(
    ("bins", "wanted"),
    [
        ({}, None),
        ({1_000_000 - 60 * n: 10.0 for n in range(1, 9)}, None),
        ({1_000_000 - 60 * n: float(n) for n in range(1, 21)}, 10.5),
        ({1_000_000 - day * DAY + 60 * n: 7.0 for day in (1, 2) for n in range(-2, 3)}, 7.0),
    ],
)
def test_expectations_come_from_earlier_days_or_from_just_before(
    bins: dict[int, float], wanted: float | None
) -> None:
    found, reference = expected(bins, 1_000_000, 60, 1_000_000.0)
    assert found == wanted
    assert bool(reference) is (wanted is not None)
