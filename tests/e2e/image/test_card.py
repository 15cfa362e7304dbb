"""An incomplete or invalid card: the box announces the problem, and writes it to the card."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.boxed import Box, boxed, card
from tests.support.mqtt_recorder import mqtt_recorder

from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.provisioning import NO_FILE
from bigred_agent.card.report import Report
from bigred_agent.card.status import STATUS
from bigred_broker import mosquitto
from bigred_broker.program import free_port, wait_until
from bigred_image import board

pytestmark = pytest.mark.timeout(900)

WRITTEN_S = 180.0
OFFICE = "192.168.77."
SSID, SECRET = "office", "correct-horse"
WIFI = f'[wifi]\nssid = "{SSID}"\npassword = "{SECRET}"\ncountry = "DE"\n'
ROUTER = f"[Match]\nName=wlan1\n[Network]\nAddress={OFFICE}1/24\nDHCPServer=yes\n"
_ROUTER = "/run/systemd/network"
_AGAIN = "systemctl restart bigred-first-boot bigred-announce bigred-status"
_PUT = (
    "mount -o remount,rw /boot/firmware && cat >/boot/firmware/bigred.toml"
    f" && mount -o remount,ro /boot/firmware && {_AGAIN}"
)


@pytest.fixture(scope="module")
def box(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("card")
    port = free_port()
    with (
        mosquitto.running(folder / "mqtt", port),
        mqtt_recorder(port) as recorder,
        boxed(built, folder / "box", board.VIRT, recorder) as box,
    ):
        box.guest.remove("bigred.toml")
        box.switch_on()
        box.live.wait_for_ssh()
        yield box


def status(box: Box) -> str:
    return box.live.run(f"cat /boot/firmware/{STATUS} 2>/dev/null || true").replace("\r\n", "\n")


def written(box: Box, text: str) -> None:
    wait_until(lambda: text in status(box), WRITTEN_S, f"{text!r} in {STATUS}")


def spoken(box: Box, complaint: Complaint) -> None:
    """Wait until the box announces it."""
    report = Report.of(configured=False, complaints=[complaint])
    box.wait_for_sentence(report.spoken())


def test_a_card_without_the_file_is_reported(box: Box) -> None:
    written(box, NO_FILE.written)
    spoken(box, NO_FILE)
    assert box.live.run("systemctl is-active bigred-agent || true").strip() == "inactive"


def test_a_file_without_a_broker_is_reported(box: Box) -> None:
    box.live.run(_PUT, given="name = demo\n")
    written(box, Mistake.NO_BROKER.at().written)


def test_a_wrong_broker_is_reported_and_the_box_runs(box: Box) -> None:
    text = card(1, "nobody.invalid")
    box.live.run(_PUT, given=text)
    box.live.run("systemctl restart bigred-agent", deadline_s=120)
    written(box, "nobody.invalid:1 can't be used")
    assert "correct [broker] host and port" in status(box)
    assert box.live.run("systemctl is-active bigred-agent").strip() == "active"


def test_a_corrected_file_configures_the_box(box: Box) -> None:
    port = box.recorder.client.port
    box.live.run(_PUT, given=card(port))
    box.restart_agent()


def test_the_wifi_on_the_card_is_joined(box: Box) -> None:
    box.live.run("modprobe mac80211_hwsim radios=2")
    # The second radio plays the router: iwd provides its network, networkd the addresses.
    box.live.run(f"mkdir -p {_ROUTER} && cat >{_ROUTER}/10-router.network", given=ROUTER)
    text = card(box.recorder.client.port) + WIFI
    box.live.run(_PUT, given=text)
    box.live.run("networkctl reload && systemctl restart iwd")
    box.live.run(f"iwctl device wlan1 set-property Mode ap && iwctl ap wlan1 start {SSID} {SECRET}")
    wait_until(
        lambda: OFFICE in box.live.run("ip -4 -brief address show wlan0"), WRITTEN_S, "an address"
    )
    assert SSID in box.live.run("iwctl station wlan0 show")
    assert SECRET not in box.live.run("cat /boot/firmware/bigred.toml")
