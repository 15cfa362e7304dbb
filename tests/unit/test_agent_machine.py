"""The box's state machine in stories, and a search for a story that ends badly."""

from collections.abc import Callable
from typing import Any  # a story sets only the keys of a message that matter to it

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.story import LIDS, NEW, OLD, POLICY, Story, normal

from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.lights.patterns import DEFAULT_PATTERNS
from bigred_agent.machine.effects import Say
from bigred_agent.machine.events import AppRemoved, AppUpdate, Event, ServerStatus, Tick
from bigred_agent.machine.light import light
from bigred_agent.machine.step import step
from bigred_agent.phrases.pack import load, render
from bigred_broker.link_status import LinkDown, LinkUp
from bigred_broker.messages import (
    Answer,
    AppState,
    EventType,
    Phase,
    Progress,
    Refusal,
    Reply,
    SetIdentify,
    SetLight,
    SetSay,
    Status,
)


@pytest.fixture
def box() -> Story:
    return normal()


# --- starting ------------------------------------------------------------------------------------


def test_a_box_that_starts_normally_is_silent_and_idle(box: Story) -> None:
    assert box.spoken == []
    assert box.light == "idle"
    assert box.wait(10).heard == []


def test_a_box_without_a_broker_shows_it_at_once_and_announces_it_once() -> None:
    story = Story()
    assert story.light == "offline"
    story.happens(LinkDown("refused"))
    assert story.wait(1.5).heard == []
    assert story.wait(60).heard == ["The message broker is not responding."]


def test_a_button_that_is_missing_from_the_start_is_announced() -> None:
    story = Story().button("button_lost")
    assert story.heard == ["The button is not connected."]
    assert story.button("button_found").heard == ["The button is connected."]


def test_a_retained_outcome_is_not_announced(box: Story) -> None:
    story = Story().happens(LinkUp()).happens(ServerStatus(Status.ONLINE)).button("button_found")
    story.app(Phase.FAILED, retained=True)
    assert story.spoken == []
    assert story.light == "idle"


def test_a_candidate_known_from_the_start_only_shows_in_the_light(box: Story) -> None:
    story = Story().happens(LinkUp()).happens(ServerStatus(Status.ONLINE)).button("button_found")
    story.app(None, retained=True, candidate=NEW, deployment=None)
    assert story.spoken == []
    assert story.light == "candidate"


def test_a_deployment_that_runs_already_is_shown_and_followed_to_its_end(box: Story) -> None:
    story = Story().happens(LinkUp()).happens(ServerStatus(Status.ONLINE)).button("button_found")
    story.app(Phase.ROLLING, 1, retained=True)
    assert (story.spoken, story.light) == ([], "deploying")
    assert story.app(Phase.SUCCEEDED, 3).heard == ["Shop 1.4.2 is live."]


# --- the lid -------------------------------------------------------------------------------------


def test_the_lid_asks_the_server_and_the_box_announces_version_author_and_servers(
    box: Story,
) -> None:
    box.button("lid_open")
    assert (box.kinds, box.heard) == (["lid_open"], [])
    box.answered(Answer.ARMED, app="shop", release=NEW, nodes=4, arming="key-1", expires_in_s=60)
    assert box.heard == ["Ready to deploy Shop 1.4.2 by Ada to four servers."]
    assert box.light == "armed"


def test_a_release_without_author_is_announced_without_one(box: Story) -> None:
    box.button("lid_open").answered(
        Answer.ARMED, app="shop", release=OLD, nodes=1, arming="key-1", expires_in_s=60
    )
    assert box.heard == ["Ready to deploy Shop 1.4.1 to one server."]


def test_a_release_deployed_elsewhere_is_announced_without_servers(box: Story) -> None:
    box.button("lid_open").answered(
        Answer.ARMED, app="site", release=OLD, arming="key-1", expires_in_s=60
    )
    assert box.heard == ["Ready to deploy Site 1.4.1."]
    assert box.light == "armed"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"code": Refusal.NO_CANDIDATE, "reason": "nothing to deploy"}, "nothing to deploy"),
        ({"code": Refusal.NOT_ALLOWED}, "not allowed"),
        ({}, "no reason given"),
    ],
)
def test_a_refusal_is_announced_with_its_reason(
    box: Story, answer: dict[str, Any], sentence: str
) -> None:
    box.button("lid_open").answered(Answer.REFUSED, **answer)
    assert box.heard == [f"Not ready: {sentence}."]
    assert box.light == "idle"


def test_an_armed_reply_without_an_arming_arms_nothing(box: Story) -> None:
    box.button("lid_open").answered(Answer.ARMED, app="shop", release=NEW, expires_in_s=60)
    assert box.heard == ["Not ready: no reason given."]


def test_a_lid_without_a_reply_within_two_seconds_is_announced(box: Story) -> None:
    assert box.button("lid_open").wait(1.9).heard == []
    assert box.wait(0.2).heard == ["The server did not answer."]
    late = box.answered(
        Answer.ARMED, app="shop", release=NEW, nodes=4, arming="key-1", expires_in_s=60
    )
    assert (late.heard, late.light) == ([], "idle")


def test_a_reply_to_another_event_is_ignored(box: Story) -> None:
    box.button("lid_open")
    box.happens(Reply(id="somebody-elses", answer=Answer.ARMED, app="shop", arming="key-9"))
    assert (box.heard, box.light) == ([], "idle")


def test_closing_the_lid_disarms(box: Story) -> None:
    box.armed().button("lid_close")
    assert (box.kinds, box.heard, box.light) == (["lid_close"], ["Cancelled."], "idle")
    box.button("press")
    assert (box.kinds, box.heard) == ([], ["Close the lid and lift it again first."])


def test_a_lid_closed_before_the_reply_stays_disarmed_when_it_arrives(box: Story) -> None:
    box.button("lid_open")
    waiting_for = box.events
    box.button("lid_close")
    assert box.kinds == ["lid_close"]
    box.happens(
        Reply(id=f"e{waiting_for}", answer=Answer.ARMED, app="shop", arming="k", expires_in_s=60)
    )
    assert (box.heard, box.light) == ([], "idle")


def test_an_arming_expires_and_says_so(box: Story) -> None:
    assert box.armed().wait(59).heard == []
    assert box.wait(2).heard == ["Time is up. Cancelled."]
    assert box.light == "idle"
    assert box.button("press").kinds == []


# --- the press -----------------------------------------------------------------------------------


def test_a_press_carries_the_arming_and_its_acceptance_fires(box: Story) -> None:
    box.armed().button("press")
    assert (box.kinds, box.sent[0].arming, box.light) == (["press"], "key-1", "armed")
    box.answered(Answer.ACCEPTED, deployment="d2")
    assert (box.heard, box.light) == (["Deploying."], "deploying")


def test_the_default_pack_fires_missiles(box: Story) -> None:
    box.armed().button("press")
    reply = Reply(id=f"e{box.events}", answer=Answer.ACCEPTED, deployment="d2")
    _, effects = step(box.state, reply, box.now_s, POLICY)
    assert [
        render(load("default"), effect.phrase) for effect in effects if isinstance(effect, Say)
    ] == ["Firing missiles!"]


def test_a_refused_press_says_why_and_needs_a_new_arming(box: Story) -> None:
    box.armed().button("press").answered(Answer.REFUSED, reason="too late")
    assert (box.heard, box.light) == (["Refused: too late."], "idle")
    assert box.button("press").kinds == []


def test_a_press_without_a_reply_is_announced(box: Story) -> None:
    assert box.armed().button("press").wait(2.1).heard == ["The server did not answer."]


def test_a_second_press_before_the_reply_is_not_sent(box: Story) -> None:
    assert box.armed().button("press").kinds == ["press"]
    assert box.button("release").kinds == ["release"]
    assert (box.button("press").kinds, box.heard) == ([], [])


def test_a_press_before_the_reply_to_the_lid_is_not_sent(box: Story) -> None:
    assert (box.button("lid_open").button("press").kinds, box.heard) == ([], [])


def test_after_a_press_without_an_arming_the_box_asks_to_lift_the_lid(box: Story) -> None:
    assert box.button("press").heard == ["Close the lid and lift it again first."]
    assert box.kinds == []


def test_the_release_of_an_unsent_press_is_not_sent_either(box: Story) -> None:
    assert box.button("press").button("release").kinds == []


def test_a_release_after_an_outage_of_the_server_is_not_sent(box: Story) -> None:
    box.armed().button("press").happens(ServerStatus(Status.OFFLINE)).happens(
        ServerStatus(Status.ONLINE)
    )
    assert box.button("release").kinds == []


def test_a_hold_without_a_deployment_is_not_sent(box: Story) -> None:
    assert box.armed().button("hold").kinds == []


def test_the_countdown_is_spoken_every_second(box: Story) -> None:
    assert box.fired(countdown_s=3).heard == ["Deploying."]
    assert box.wait(0.9).heard == ["three."]
    assert box.wait(1).heard == ["two."]
    assert box.wait(5).heard == ["one."]


def test_closing_the_lid_during_the_countdown_is_sent_and_stops_it(box: Story) -> None:
    box.fired(countdown_s=3).wait(0.5)
    assert box.button("lid_close").kinds == ["lid_close"]
    assert box.wait(5).heard == []
    spoken = box.app(Phase.ABORTED, reason="the lid was closed").heard
    assert spoken == ["The deployment of Shop 1.4.2 was aborted: the lid was closed."]
    assert box.light == "idle"


def test_news_of_another_deployment_does_not_end_the_countdown(box: Story) -> None:
    box.fired(countdown_s=3).wait(0.5)
    box.app(Phase.SUCCEEDED, 3, deployment="d1", release=OLD)
    box.app(Phase.FAILED, app="web", deployment="w1")
    box.wait(3)
    assert box.spoken[-3:] == ["three.", "two.", "one."]


def test_the_end_of_the_deployment_ends_the_countdown(box: Story) -> None:
    box.fired(countdown_s=3).wait(0.5).app(Phase.ABORTED)
    assert box.wait(5).heard == []


def test_closing_the_lid_after_the_press_has_no_effect(box: Story) -> None:
    assert box.fired().button("lid_close").heard == []
    assert box.light == "deploying"


# --- the deployment ------------------------------------------------------------------------------


def test_a_good_deployment_is_followed_to_its_end(box: Story) -> None:
    box.fired()
    box.spoken.clear()
    for phase, done in [
        (Phase.PREPARING, 0), (Phase.CANARY, 0), (Phase.CANARY, 1), (Phase.ROLLING, 1),
        (Phase.ROLLING, 2), (Phase.ROLLING, 3), (Phase.BAKING, 3), (Phase.SUCCEEDED, 3),
    ]:  # fmt: skip
        box.app(phase, done)
        box.app(phase, done)
    assert box.spoken == [
        "First server.",
        "Node one of three done.",
        "Continuing.",
        "Node two of three done.",
        "Node three of three done.",
        "All servers updated. Watching.",
        "Shop 1.4.2 is live.",
    ]
    assert (box.light, light(box.state).progress) == ("succeeded", 1.0)


def test_progress_fills_the_bar(box: Story) -> None:
    box.fired().app(Phase.ROLLING, 2)
    assert light(box.state).progress == pytest.approx(2 / 3)


def test_progress_in_percent_fills_the_bar_and_is_not_spoken(box: Story) -> None:
    percent = Progress(done=43, total=100, unit="percent")
    box.fired().app(Phase.ROLLING)
    assert box.app(Phase.ROLLING, progress=percent).heard == []
    assert light(box.state).progress == pytest.approx(0.43)


def test_a_rollback_announces_its_reason_at_its_start_and_its_end(box: Story) -> None:
    box.fired().app(Phase.CANARY)
    assert box.app(Phase.ROLLING_BACK, reason="node1 does not answer").heard == [
        "Rolling back: node1 does not answer."
    ]
    assert box.light == "rolled_back"
    assert box.app(Phase.ROLLED_BACK, reason="node1 does not answer").heard == [
        "Shop 1.4.2 was rolled back: node1 does not answer."
    ]
    assert box.light == "rolled_back"


@pytest.mark.parametrize(
    ("phase", "pattern"),
    [(Phase.SUCCEEDED, "succeeded"), (Phase.ROLLED_BACK, "rolled_back"), (Phase.FAILED, "failed")],
)
def test_an_outcome_shows_for_a_minute_or_until_the_lid_opens(
    box: Story, phase: Phase, pattern: str
) -> None:
    box.fired().app(phase)
    box.button("lid_close")
    assert box.wait(55).light == pattern
    assert box.wait(10).light == "idle"
    again = box.app(Phase.PREPARING, deployment="d3").app(phase, deployment="d3")
    assert again.light == pattern
    assert again.button("lid_open").light == "idle"


def test_a_deployment_started_elsewhere_is_announced(box: Story) -> None:
    assert box.app(Phase.PREPARING).heard == ["Shop 1.4.2 is being deployed."]
    assert box.light == "deploying"


def test_a_deployment_reported_before_its_reply_is_recognised_as_ours(box: Story) -> None:
    box.armed().button("press")
    assert box.app(Phase.PREPARING).heard == []
    assert box.answered(Answer.ACCEPTED, deployment="d2").heard == ["Deploying."]
    assert box.state.accepted is None


def test_an_accepted_deployment_that_never_reports_does_not_show_for_ever(box: Story) -> None:
    assert box.fired().wait(20).light == "idle"


def test_a_removed_app_no_longer_shows(box: Story) -> None:
    box.app(Phase.ROLLING)
    assert box.happens(AppRemoved("shop")).light == "idle"
    assert box.happens(AppRemoved("never-heard-of")).heard == []


def test_a_new_candidate_is_announced_once(box: Story) -> None:
    waiting: dict[str, Any] = {"deployment": "d1", "release": OLD, "candidate": NEW}
    assert box.app(Phase.SUCCEEDED, 3, **waiting).heard == ["Shop 1.4.2 can be deployed."]
    assert box.app(Phase.SUCCEEDED, 3, **waiting).heard == []
    assert box.light == "candidate"


def test_a_new_candidate_is_announced_with_its_changes(box: Story) -> None:
    waiting = NEW.model_copy(update={"authors": ("Ada", "Linus"), "changed": 3})
    spoken = box.app(Phase.SUCCEEDED, 3, deployment="d1", release=OLD, candidate=waiting)
    assert spoken.heard == ["Shop 1.4.2 can be deployed, with three changes by Ada and Linus."]


def test_a_press_during_a_deployment_is_sent_and_the_stop_announced(box: Story) -> None:
    box.fired().app(Phase.ROLLING, 1).wait(5)
    box.button("press")
    assert (box.kinds, box.sent[0].arming) == (["press"], None)
    assert box.answered(Answer.ACCEPTED, deployment="d2").heard == ["Stopping."]
    assert box.app(Phase.HOLDING, 1, reason="stopped by red").heard == ["On hold: stopped by red."]
    assert box.light == "holding"


def test_on_hold_a_press_continues_and_a_hold_is_sent(box: Story) -> None:
    box.fired().app(Phase.HOLDING, 1, reason="stopped").wait(5)
    assert box.button("press").answered(Answer.ACCEPTED, deployment="d2").heard == []
    assert box.app(Phase.ROLLING, 1).heard == ["Continuing."]
    assert box.button("hold").kinds == ["hold"]


def test_presses_right_after_an_accepted_one_are_ignored(box: Story) -> None:
    box.fired().app(Phase.CANARY)
    for _ in range(3):
        assert (box.button("press").kinds, box.heard) == ([], [])
    assert box.wait(5).button("press").kinds == ["press"]


def test_lifting_the_lid_during_a_deployment_announces_the_server_s_reason(box: Story) -> None:
    box.app(Phase.ROLLING)
    box.button("lid_open").answered(Answer.REFUSED, code=Refusal.RUNNING, reason="one is running")
    assert (box.heard, box.light) == (["Not ready: one is running."], "deploying")


def test_a_reconnect_repeats_nothing_but_announces_what_was_missed(box: Story) -> None:
    box.fired().app(Phase.ROLLING, 1)
    box.happens(LinkDown("lost")).happens(LinkUp(), 0.5).happens(ServerStatus(Status.ONLINE))
    assert box.app(Phase.ROLLING, 1, retained=True).heard == []
    box.happens(LinkDown("lost")).happens(LinkUp(), 0.5).happens(ServerStatus(Status.ONLINE))
    assert box.app(Phase.SUCCEEDED, 3, retained=True).heard == ["Shop 1.4.2 is live."]
    box.happens(LinkDown("lost")).happens(LinkUp(), 0.5).happens(ServerStatus(Status.ONLINE))
    assert box.app(Phase.SUCCEEDED, 3, retained=True).heard == []


# --- absent neighbours ---------------------------------------------------------------------------


def test_an_absent_server_shows_is_announced_and_recovers(box: Story) -> None:
    box.happens(ServerStatus(Status.OFFLINE))
    assert (box.light, box.heard) == ("offline", [])
    assert box.wait(30).heard == ["The deploy server is not responding."]
    assert box.happens(ServerStatus(Status.ONLINE)).heard == ["The deploy server is back."]
    assert box.light == "idle"


def test_an_absent_broker_shows_is_announced_and_recovers(box: Story) -> None:
    box.happens(LinkDown("lost"))
    assert box.light == "offline"
    assert box.wait(30).heard == ["The message broker is not responding."]
    assert box.happens(LinkUp()).heard == []
    assert box.happens(ServerStatus(Status.ONLINE)).heard == ["The deploy server is back."]


def test_a_short_outage_is_not_announced(box: Story) -> None:
    box.happens(ServerStatus(Status.OFFLINE)).wait(1.5).happens(ServerStatus(Status.ONLINE))
    assert box.wait(10).heard == []
    assert box.spoken == []


@pytest.mark.parametrize("kind", ["lid_open", "press"])
@pytest.mark.parametrize("away", [LinkDown("lost"), ServerStatus(Status.OFFLINE)])
def test_an_event_during_an_outage_is_announced_as_lost_and_never_sent(
    box: Story, kind: str, away: Event
) -> None:
    box.happens(away).button(kind)
    assert box.heard == ["No connection to the server. Nothing was sent."]
    assert box.sent == []
    box.happens(LinkUp()).happens(ServerStatus(Status.ONLINE)).wait(5)
    assert box.sent == []


@pytest.mark.parametrize("away", [LinkDown("lost"), ServerStatus(Status.OFFLINE)])
def test_losing_the_server_disarms(box: Story, away: Event) -> None:
    assert box.armed().happens(away).heard == ["Connection lost. Cancelled."]
    box.happens(LinkUp()).happens(ServerStatus(Status.ONLINE))
    assert box.button("press").kinds == []


def test_losing_the_server_before_its_reply_announces_at_once_that_nobody_answered(
    box: Story,
) -> None:
    box.armed().button("press")
    assert box.happens(ServerStatus(Status.OFFLINE)).heard == ["The server did not answer."]
    assert box.wait(1.5).heard == []


def test_an_unplugged_button_shows_is_announced_and_recovers(box: Story) -> None:
    box.armed().button("button_lost")
    assert (box.kinds, box.heard) == (["button_lost"], ["The button was unplugged."])
    assert box.light == "button_lost"
    box.button("button_found")
    assert (box.kinds, box.heard) == (["button_found"], ["The button is connected."])
    assert box.light == "idle"


# --- the server's requests -----------------------------------------------------------------------


def test_a_sentence_is_spoken_unchanged(box: Story) -> None:
    assert box.happens(SetSay(text="Lunch!")).heard == ["Lunch!"]


def test_a_requested_light_stays_until_the_box_has_something_else_to_show(box: Story) -> None:
    assert box.happens(SetLight(pattern="rolled-back")).light == "rolled_back"
    assert box.wait(300).light == "rolled_back"
    assert box.armed().light == "armed"
    assert box.button("lid_close").light == "idle"


def test_an_unknown_light_changes_nothing(box: Story) -> None:
    assert box.happens(SetLight(pattern="disco")).light == "idle"


def test_a_box_identifies_itself_for_a_while(box: Story) -> None:
    assert box.happens(SetIdentify()).heard == ["This is the box Red."]
    assert box.light == "identify"
    assert box.wait(11).light == "idle"


# --- any story -----------------------------------------------------------------------------------

IDS = st.sampled_from([f"e{number}" for number in range(1, 8)])
AMOUNTS = st.floats(0, 1e6)
NOTES = st.sampled_from([None, NEW, OLD])
TEXTS = st.sampled_from(["", "why", "{app}."])
EVENTS: st.SearchStrategy[Callable[[Story], Event]] = st.one_of(
    st.just(lambda story: Tick()),
    st.just(lambda story: LinkUp()),
    st.just(lambda story: LinkDown("lost")),
    st.sampled_from(Status).map(lambda status: lambda story: ServerStatus(status)),
    st.sampled_from(EventType).map(lambda kind: lambda story: _event(story, kind)),
    st.builds(
        Reply,
        id=IDS,
        answer=st.sampled_from(Answer),
        app=st.sampled_from([None, "shop"]),
        release=NOTES,
        nodes=st.integers(0, 30),
        arming=st.sampled_from([None, "key-1", "key-2"]),
        expires_in_s=AMOUNTS,
        deployment=st.sampled_from([None, "d1", "d2"]),
        countdown_s=AMOUNTS,
        code=st.sampled_from([None, *Refusal]),
        reason=TEXTS,
    ).map(lambda reply: lambda story: _maybe_to_pending(story, reply)),
    st.builds(
        AppState,
        app=st.sampled_from(["shop", "web"]),
        phase=st.sampled_from([None, *Phase]),
        deployment=st.sampled_from([None, "d1", "d2"]),
        release=NOTES,
        candidate=NOTES,
        progress=st.sampled_from(
            [None, Progress(done=1, total=0), Progress(done=1, total=3), Progress(done=9, total=3)]
        ),
        reason=TEXTS,
    ).flatmap(
        lambda app: st.booleans().map(lambda retained: lambda story: AppUpdate(app, retained))
    ),
    st.sampled_from(["idle", "rolled-back", "disco"]).map(
        lambda name: lambda story: SetLight(pattern=name)
    ),
    st.just(lambda story: AppRemoved("shop")),
    st.just(lambda story: SetIdentify()),
    st.just(lambda story: SetSay(text="hello")),
)


def _event(story: Story, kind: EventType) -> ButtonEvent:
    story.events += 1
    lid = LIDS.get(kind, story.state.lid)
    return ButtonEvent(kind, f"e{story.events}", story.now_s, lid)


def _maybe_to_pending(story: Story, reply: Reply) -> Reply:
    """Address half of the replies to the pending event: else most stories would never be armed."""
    pending = story.state.pending
    return reply.model_copy(update={"id": pending.id}) if pending and reply.nodes % 2 else reply


@settings(max_examples=300)
@given(st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.1, 1.0, 30.0])), max_size=40))
def test_no_story_sends_a_forbidden_press_or_leaves_the_box_dark(
    events: list[tuple[Callable[[Story], Event], float]],
) -> None:
    story = Story()
    for make, after_s in events:
        before = story.state
        story.happens(make(story), after_s)
        for effect in story.sent:
            assert before.connected
            assert effect.seq == before.seq
            if effect.kind is EventType.PRESS:
                living = before.arming is not None and story.now_s < before.arming.expires_s
                assert living or before.is_deploying
                assert story.state.arming is None, "an arming fires once"
            if effect.arming is not None:
                assert before.arming is not None
                assert effect.arming == before.arming.id
        assert light(story.state).pattern in DEFAULT_PATTERNS
        assert 0 <= light(story.state).progress <= 1
        if not story.state.connected:
            assert story.state.arming is None
