"""A run in Jenkins: the next step from every look, and reasons not to start one."""

import itertools
from dataclasses import replace

import pytest

from bigred_broker.config import ConfigError, parse
from bigred_broker.messages import Phase
from bigred_server.jenkins import answers, sentences
from bigred_server.jenkins.answers import BuildInfo
from bigred_server.jenkins.decide import (
    FIND_S,
    GIVE_UP_S,
    STOP_S,
    Ask,
    End,
    Halt,
    KeepWaiting,
    Limits,
    Note,
    Step,
    decide,
)
from bigred_server.jenkins.run import hindrance
from bigred_server.jenkins.run_record import RunRecord, Stop
from bigred_server.jenkins.run_state import (
    Away,
    BuildRunning,
    Lost,
    Queued,
    RunState,
    Started,
    Withdrawn,
)
from bigred_server.model.command import Command, refusal_elsewhere
from bigred_server.settings import Settings

LIMITS = Limits(queue_s=100.0, build_s=1000.0)
NOW = 10_000.0
FRESH = RunRecord()
ASKED = RunRecord(asked_at=NOW)
QUEUED = replace(ASKED, item=1203)
BUILT = replace(QUEUED, build=57, began_at=NOW)
GOING = BuildRunning(BuildInfo(number=57, building=True))


def over(result: str) -> BuildRunning:
    return BuildRunning(
        BuildInfo.model_validate({"number": 57, "building": False, "result": result})
    )


def step(
    run: RunRecord, seen: RunState | None, later_s: float = 0.0, *, abort: bool = False
) -> Step:
    return decide(run, seen, LIMITS, NOW + later_s, abort=abort)


# --- from the press to the build -----------------------------------------------------------------


def test_a_run_is_requested_once_and_journaled_first() -> None:
    assert step(FRESH, None) == Ask(ASKED)


def test_a_run_aborted_before_its_request_is_never_requested() -> None:
    ended = step(FRESH, None, abort=True)
    assert isinstance(ended, End)
    assert ended.phase is Phase.ABORTED


def test_a_request_without_an_answer_is_looked_for_and_found() -> None:
    assert step(ASKED, Lost(), FIND_S - 1) == KeepWaiting()
    assert step(ASKED, Queued(1203)) == Note(QUEUED, Phase.PREPARING)
    found = step(ASKED, Started(57), 3)
    assert found == Note(replace(ASKED, build=57, began_at=NOW + 3), Phase.ROLLING)


@pytest.mark.parametrize("abort", [False, True])
def test_a_request_that_jenkins_never_received_has_failed_and_is_not_repeated(abort: bool) -> None:
    ended = step(ASKED, Lost(), FIND_S + 1, abort=abort)
    assert isinstance(ended, End)
    assert ended.phase is Phase.FAILED
    assert "fire again" in ended.reason


def test_an_item_waits_in_the_queue_until_it_is_a_build() -> None:
    assert step(QUEUED, Queued(1203, "waiting"), 99) == KeepWaiting()
    begun = step(QUEUED, Started(57), 99)
    assert begun == Note(replace(QUEUED, build=57, began_at=NOW + 99), Phase.ROLLING)


def test_an_item_that_a_person_cancels_is_aborted() -> None:
    ended = step(QUEUED, Withdrawn())
    assert ended == End(Phase.ABORTED, "it was removed from the queue in Jenkins")


def test_an_item_that_waits_too_long_is_cancelled_and_has_failed() -> None:
    halted = step(QUEUED, Queued(1203), 101)
    assert isinstance(halted, Halt)
    assert halted.run.why
    ended = decide(halted.run, Withdrawn(), LIMITS, NOW + 102, abort=False)
    assert isinstance(ended, End)
    assert (ended.phase, "100 s" in ended.reason) == (Phase.FAILED, True)


@pytest.mark.parametrize("abort", [False, True])
def test_an_item_that_became_a_build_before_it_was_cancelled_is_stopped_at_once(
    abort: bool,
) -> None:
    halted = step(QUEUED, Queued(1203), 0 if abort else 101, abort=abort)
    assert isinstance(halted, Halt)
    begun = decide(halted.run, Started(57), LIMITS, NOW + 102, abort=abort)
    assert isinstance(begun, Note)
    again = decide(begun.run, GOING, LIMITS, NOW + 102, abort=abort)
    assert isinstance(again, Halt)
    assert again.how is Stop.STOP


def test_an_item_that_others_want_too_is_left_to_them_by_our_time_limit_but_not_by_an_abort() -> (
    None
):
    shared = Queued(1203, "", ("ada", "linus"))
    ended = step(QUEUED, shared, 101)
    assert isinstance(ended, End)
    assert "it stays there, because ada and linus requested it too" in ended.reason
    assert isinstance(step(QUEUED, shared, 99, abort=True), Halt)
    assert step(QUEUED, shared, 99) == KeepWaiting()


@pytest.mark.parametrize("user", [None, "", "ADA", "ada"])
def test_a_cause_may_have_no_user(user: str | None) -> None:
    given = {"items": [{"id": 1, "actions": [{"causes": [{"userId": user}, {}]}]}]}
    [item] = answers.Queue.model_validate(given).items
    assert answers.requested_by(item.actions) == ([user] if user else [])
    assert answers.is_user(user or "", "Ada") is bool(user)


# --- the build -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "phase", "unstable"),
    [
        ("SUCCESS", Phase.SUCCEEDED, Phase.SUCCEEDED),
        ("UNSTABLE", Phase.FAILED, Phase.SUCCEEDED),
        ("FAILURE", Phase.FAILED, Phase.FAILED),
        ("NOT_BUILT", Phase.FAILED, Phase.FAILED),
        ("ABORTED", Phase.ABORTED, Phase.ABORTED),
    ],
)
def test_every_result_has_an_outcome(result: str, phase: Phase, unstable: Phase) -> None:
    for limits, wanted in ((LIMITS, phase), (replace(LIMITS, unstable=True), unstable)):
        ended = decide(BUILT, over(result), limits, NOW, abort=False)
        assert isinstance(ended, End)
        assert ended.phase is wanted


def test_a_result_reported_before_the_build_ends_is_not_final() -> None:
    last_steps = BuildInfo.model_validate({"number": 57, "building": True, "result": "SUCCESS"})
    assert step(BUILT, BuildRunning(last_steps)) == KeepWaiting()


def test_a_build_that_succeeds_before_its_abort_is_live() -> None:
    assert step(replace(BUILT, stop=Stop.STOP), over("SUCCESS"), abort=True) == End(Phase.SUCCEEDED)


def test_a_build_is_stopped_ever_harder_and_finally_given_up() -> None:
    run, now, seen = BUILT, NOW, []
    while isinstance(found := decide(run, GOING, LIMITS, now, abort=True), Halt | KeepWaiting):
        if isinstance(found, Halt):
            seen.append((found.how, now - NOW))
            run = found.run
        now += 1
    assert seen == [(Stop.STOP, 0), (Stop.TERM, STOP_S), (Stop.KILL, 2 * STOP_S)]
    assert isinstance(found, End)
    assert (found.phase, now - NOW) == (Phase.FAILED, 2 * STOP_S + GIVE_UP_S)


def test_a_build_that_takes_too_long_is_stopped_and_has_failed() -> None:
    assert step(BUILT, GOING, 1000) == KeepWaiting()
    halted = step(BUILT, GOING, 1001)
    assert isinstance(halted, Halt)
    ended = decide(halted.run, over("ABORTED"), LIMITS, NOW + 1002, abort=False)
    assert ended == End(Phase.FAILED, "it took more than 1000 s and was stopped")


def test_an_aborted_build_has_only_the_persons_reason() -> None:
    assert step(replace(BUILT, stop=Stop.STOP), over("ABORTED"), abort=True) == End(Phase.ABORTED)


@pytest.mark.parametrize("run", [QUEUED, BUILT])
def test_a_run_that_jenkins_lost_has_failed(run: RunRecord) -> None:
    ended = step(run, Lost())
    assert isinstance(ended, End)
    assert ended.phase is Phase.FAILED


@pytest.mark.parametrize("run", [ASKED, QUEUED, BUILT])
def test_an_absent_jenkins_is_awaited_but_not_for_ever(run: RunRecord) -> None:
    longest_s = LIMITS.build_s + GIVE_UP_S + (0 if run.build else LIMITS.queue_s)
    assert step(run, Away("no answer"), longest_s) == KeepWaiting()
    ended = step(run, Away("no answer"), longest_s + 1)
    assert isinstance(ended, End)
    assert ended.phase is Phase.FAILED
    assert "not known" in ended.reason


def test_every_look_at_every_run_has_a_step_and_only_changes_are_recorded() -> None:
    runs = [FRESH, ASKED, QUEUED, BUILT, replace(BUILT, stop=Stop.KILL, stopped_at=NOW)]
    looks: list[RunState | None] = [None, Lost(), Away("x"), Withdrawn(), Started(57), Queued(1203)]
    looks += [GOING, *(over(result) for result in ("SUCCESS", "FAILURE", "ABORTED"))]
    for run, seen, abort in itertools.product(runs, looks, [False, True]):
        if run.build and isinstance(seen, Started | Queued):
            # Once the build is known, the queue is not queried.
            continue
        for later_s in (0.0, 50.0, 5_000.0):
            found = step(run, seen, later_s, abort=abort)
            if isinstance(found, End):
                assert found.phase.is_outcome
            if isinstance(found, Note):
                assert found.run != run
            if isinstance(found, Ask):
                assert run == FRESH


@pytest.mark.parametrize("run", [FRESH, ASKED, BUILT, replace(BUILT, stop=Stop.TERM, why="x")])
def test_a_run_round_trips_and_unknown_keys_are_ignored(run: RunRecord) -> None:
    assert RunRecord.of({**run.to_json(), "newer": 1}) == run


# --- valid commands ------------------------------------------------------------------------------


def test_a_run_in_jenkins_can_only_be_aborted_and_only_once() -> None:
    for phase, command in itertools.product(Phase, Command):
        answer = refusal_elsewhere(phase, None, command)
        may = command is Command.ABORT and not phase.is_outcome
        assert (answer == "") is may, (phase, command, answer)
        assert refusal_elsewhere(phase, Command.ABORT, command)


# --- reasons not to start ------------------------------------------------------------------------

CONFIG = """\
[server]
state = "/var/lib/bigred"
[apps.site]
driver = "jenkins"
[apps.site.jenkins]
url = "https://jenkins.example.com/ci"
job = "web/deploy-site"
user = "bigred"
token_file = "/etc/bigred/jenkins.token"
[apps.site.jenkins.parameters]
STAGE = "production"
REASON = "by {who}"
"""
APP = parse(CONFIG, Settings, "bigred.toml").jobs["site"]


def job(**more: object) -> answers.JobInfo:
    stages = {"name": "STAGE", "choices": ["staging", "production"]}
    takes = {"parameterDefinitions": [stages, {"name": "REASON"}, {"name": "DRY"}]}
    given = {"buildable": True, "nextBuildNumber": 57, "property": [{}, takes], **more}
    return answers.JobInfo.model_validate(given)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"buildable": False}, "disabled"),
        ({"property": []}, "takes no parameter STAGE"),
        (
            {"property": [{"parameterDefinitions": [{"name": "STAGE", "choices": ["a", "b"]}]}]},
            "takes for STAGE one of a, b, not 'production'",
        ),
        ({"property": [{"parameterDefinitions": [{"name": "STAGE"}]}]}, "it takes: STAGE"),
    ],
)
def test_reasons_against_a_run_are_given_before_a_press(more: dict[str, object], why: str) -> None:
    said = hindrance("site", APP, job(**more))
    assert why in said
    assert bool(why) == bool(said)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('STAGE = "{wo}"', "unknown placeholder {wo}; available: {app}, {deployment}, {who}"),
        ('STAGE = "{who.name}"', "unknown placeholder {who.name}"),
        ('STAGE = "{"', "write {{ and }} for literal braces"),
        ('[apps.site.jenkins]\nurl = "x"', "bigred.toml"),
        ('[apps.site.nodes.n1]\nurl = "http://n1"', "unknown key 'apps.site.nodes'"),
        ('[apps.blog]\ndriver = "hudson"', "apps.blog: the driver must be 'tomcat' or 'jenkins'"),
    ],
)
def test_an_invalid_job_is_reported_with_its_place(line: str, why: str) -> None:
    text = CONFIG.replace('STAGE = "production"\n', "") + line + "\n"
    with pytest.raises(ConfigError) as raised:
        parse(text, Settings, "bigred.toml")
    assert why in str(raised.value)
    assert "tagged-union" not in str(raised.value)


def test_a_misspelt_key_behind_the_driver_has_its_nearest_neighbour() -> None:
    misspelt = CONFIG.replace("[apps.site.jenkins.par", "que_s = 1\n[apps.site.jenkins.par")
    with pytest.raises(ConfigError, match=r"toml:10: unknown key 'apps.site.jenkins.que_s'; did"):
        parse(misspelt, Settings, "bigred.toml")


@pytest.mark.parametrize("status", ["SUCCESS", "IN_PROGRESS", "FAILED", "PAUSED_PENDING_INPUT"])
def test_the_states_of_a_stage_are_sentences(status: str) -> None:
    assert "Deploy" in sentences.stage("Deploy", status, 1500, "http://j/57/")


def test_unchanged_states_are_not_reported() -> None:
    assert sentences.stage("Deploy", "NOT_EXECUTED", 0, "") == ""
