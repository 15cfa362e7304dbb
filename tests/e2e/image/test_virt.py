"""The card in QEMU's "virt": the box finds its button, speaks, lights up, and deploys under load.

Everything outside is real: Mosquitto, the server, three Tomcats behind HAProxy, and their users.
The tests run in this order, on one box that is switched on once and loses its power once.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.boxed import ANSWER_S, Box, at_home
from tests.support.rig import Rig
from tests.support.speech import Listener, words_of

from bigred_agent.card.settings import KEPT
from bigred_broker.messages import Phase
from bigred_image import board
from bigred_server.demo.load import Load, LoadOptions, shopping

pytestmark = pytest.mark.timeout(900)

RATE = 50.0
RED, GREEN, BLUE = 17, 27, 22
OWN_CARD, USB_CARD = "SoundCard", "Audio"
BAR = (5, 6, 13, 19, 26)
TOGGLES = 20
# An emulated processor next to three Tomcats and their users; a real one is many times faster.
LATE_MS = 150


@pytest.fixture(scope="module")
def home(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Box]]:
    with at_home(built, tmp_path_factory.mktemp("virt") / "box", board.VIRT, 3) as made:
        yield made


@pytest.fixture(scope="module")
def place(home: tuple[Rig, Box]) -> Rig:
    return home[0]


@pytest.fixture(scope="module")
def box(home: tuple[Rig, Box]) -> Box:
    return home[1]


@pytest.fixture(scope="module")
def load(place: Rig) -> Iterator[Load]:
    with shopping(place.demo_site.folder, place.demo_site.url, LoadOptions(RATE)) as load:
        yield load


def figure(text: str) -> None:
    sys.stderr.write(f"\n  {text}\n")


def test_a_box_that_is_switched_on_comes_online_with_its_button(box: Box) -> None:
    begun_s = time.monotonic()
    box.switch_on()
    box.live.cable.plug()
    figure(f"boot to ready: {box.online() - begun_s:.0f} s")
    box.wait_for_button()
    assert box.last("info")["button"] == "Dream Cheeky Big Red Button"
    box.live.wait_for_ssh()


def test_there_are_no_problems_and_no_unit_has_failed(box: Box) -> None:
    box.simulate_pins()
    box.recorder.until(lambda: box.last("info")["to_mend"] == [], ANSWER_S, "no problems")
    assert set(box.last("info")["capabilities"]) == {"lid", "light", "progress", "voice"}
    assert box.live.run("systemctl --failed --no-legend --plain").strip() == ""
    since = box.statuses()
    whole = box.live.run(
        "systemctl stop bigred-agent;"
        " systemd-run --quiet --wait --pipe -p User=bigred -p SupplementaryGroups=audio"
        " /opt/bigred/.venv/bin/bigred-agent doctor 2>&1; systemctl start bigred-agent",
        deadline_s=180,
    )
    assert "All is well." in whole, whole
    box.online(since)
    box.wait_for_button()


def test_nobody_can_log_in_and_the_root_is_read_only(box: Box) -> None:
    assert box.live.run("awk -F: '$2 !~ /^[!*]/' /etc/shadow").strip() == ""
    listening = box.live.run("ss -Hltn | awk '{print $4}'").split()
    # sshd runs only because of this test's key; resolved serves the box itself.
    assert {one.rpartition(":")[2] for one in listening} <= {"22", "53"}, listening
    assert "bigred" in box.live.run("stat -c %G /dev/bus/usb/*/* | sort -u")
    assert "squashfs" in box.live.run("cat /proc/mounts")


def test_lid_and_push_roll_three_tomcats_and_no_request_is_lost(
    box: Box, place: Rig, load: Load
) -> None:
    before = load.counts()
    armed = box.arm(place, "1.1.0")
    assert (armed["answer"], armed["release"]["version"]) == ("armed", "1.1.0")
    armed_is = f"System is armed! Shop 1.1.0 by {armed['release']['author']}, to three servers."
    box.wait_for_sentence(armed_is)
    box.recorder.until(lambda: any(box.high(RED, GREEN, BLUE)), ANSWER_S, "a light")
    fired = box.push()
    assert fired["answer"] == "accepted"
    box.wait_for_sentence("Firing missiles!")
    box.guest.button.close_lid()
    box.until_phase(Phase.SUCCEEDED, fired["deployment"])
    after = load.counts()
    figure(f"{after.requests - before.requests} requests, {after.failed - before.failed} failed")
    assert after.failed == before.failed
    assert set(place.serving().values()) == {"1.1.0"}
    box.wait_for_sentence("Target reached! Shop 1.1.0 is live.")
    box.recorder.until(lambda: all(box.high(*BAR)), ANSWER_S, "the whole bar")
    box.recorder.until(lambda: box.high(GREEN) == [True], ANSWER_S, "green")


def test_an_event_of_the_button_is_published_at_once(box: Box) -> None:
    late, aged = [], []
    for number in range(TOGGLES):
        for move, kind in (
            (box.guest.button.open_lid, "lid_open"),
            (box.guest.button.close_lid, "lid_close"),
        ):
            since = box.events()
            move()
            delivered_at_s = box.guest.button.delivered_at_s()
            late.append(1000 * (box.wait_for_event(kind, since) - delivered_at_s))
            aged.append(box.last("event")["age_ms"])
            # Longer than a contact bounces.
            time.sleep(0.3 + 0.01 * number)
    figure(
        f"report to reception: median {statistics.median(late):.0f} ms, most {max(late):.0f};"
        f" of which from read to sent {statistics.median(aged):.0f}, most {max(aged):.0f}"
    )
    assert statistics.median(late) <= LATE_MS


def test_the_agent_is_small_and_idle(box: Box) -> None:
    kib, share = box.agent_kib(), box.agent_cpu(20.0)
    figure(f"agent: {kib / 1024:.0f} MiB, {100 * share:.1f} % of an emulated processor")
    assert kib <= 60 * 1024


def test_unplugging_and_replugging_the_button_is_announced(box: Box) -> None:
    since = box.events()
    box.live.cable.unplug()
    box.wait_for_event("button_lost", since)
    box.wait_for_sentence("The red button was unplugged.")
    box.live.cable.plug()
    box.wait_for_event("button_found", since)
    box.wait_for_sentence("The red button is connected.")


def test_a_loudspeaker_is_used_while_it_is_plugged_in(
    box: Box,
) -> None:
    lunch = "bigred/box/demo/set/say", '{"v": 1, "text": "Lunch is ready."}'
    box.live.plug_speaker()
    box.wait_for_card(USB_CARD)
    box.recorder.publish(*lunch)
    box.wait_for_sentence("Lunch is ready.", played=box.guest.speaker)
    box.live.unplug_speaker()
    box.wait_for_card(OWN_CARD)
    box.recorder.publish(*lunch)
    box.wait_for_sentence("Lunch is ready.")


def test_the_box_returns_to_a_restarted_broker(box: Box, place: Rig) -> None:
    since = box.statuses()
    place.restart_broker()
    box.online(since)


def test_every_recorded_sentence_is_understood(box: Box) -> None:
    listener = Listener([*box.said(), *box.recordings])
    misheard = {}
    for sentence, found in box.recordings.items():
        understood = listener.understand(found.sound)
        if understood != words_of(sentence):
            misheard[sentence] = understood
    alike = ", ".join(f"{one.alike:.2f}" for one in box.recordings.values())
    figure(f"{len(box.recordings)} sentences heard, alike {alike}; misheard: {misheard}")
    assert len(box.recordings) == 6
    assert misheard == {}


def test_a_power_cut_during_a_deployment_does_no_harm_and_the_box_comes_back(
    box: Box, place: Rig, load: Load
) -> None:
    before = load.counts()
    assert box.arm(place, "1.2.0")["answer"] == "armed"
    fired = box.push()
    box.until_phase(Phase.CANARY, fired["deployment"])
    since = box.statuses()
    box.live.cut()
    box.cut()
    box.until_phase(Phase.SUCCEEDED, fired["deployment"])
    assert load.counts().failed == before.failed
    assert KEPT in box.guest.read("bigred.toml")
    assert "of the broker" not in box.guest.read("bigred.toml")
    box.guest.button.close_lid()
    box.switch_on()
    box.live.cable.plug()
    box.online(since)
    box.recorder.until(
        lambda: (box.last("state") or {}).get("lid") == "closed", ANSWER_S, "the lid as it is"
    )
    assert box.arm(place, "1.3.0")["answer"] == "armed"
