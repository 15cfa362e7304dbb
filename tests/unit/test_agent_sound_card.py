"""The choice of a box's sound card."""

from pathlib import Path

import pytest

from bigred_agent.voice import sound_card
from bigred_agent.voice.choice import ALSA_CARD, AUTO_CARD, EngineChoice
from bigred_agent.voice.engine import Sound
from bigred_agent.voice.engines import EngineFinder
from bigred_agent.voice.sound_card import (
    CardChoice,
    SoundCard,
    cards,
    choose_from,
    nodes,
)

# The output of `aplay -l` on a Raspberry Pi 4 with a USB loudspeaker.
LISTED = """\
**** List of PLAYBACK Hardware Devices ****
card 0: vc4hdmi0 [vc4-hdmi-0], device 0: MAI PCM i2s-hifi-0 [MAI PCM i2s-hifi-0]
  Subdevices: 1/1
  Subdevice #0: subdevice #0
card 1: Headphones [bcm2835 Headphones], device 0: bcm2835 Headphones [bcm2835 Headphones]
  Subdevices: 8/8
card 2: Device [USB Audio Device], device 0: USB Audio [USB Audio]
  Subdevices: 1/1
card 2: Device [USB Audio Device], device 1: USB Audio [USB Audio #1]
  Subdevices: 1/1
"""
SCREEN = SoundCard("vc4hdmi0", "vc4-hdmi-0", "/sys/devices/platform/soc/fef00700.hdmi/sound/card0")
OLD_SCREEN = SoundCard("b1", "bcm2835 HDMI 1")
SOCKET = SoundCard(
    "Headphones", "bcm2835 Headphones", "/sys/devices/platform/soc/vchiq/sound/card1"
)
USB = SoundCard("Device", "USB Audio Device", "/sys/devices/platform/scb/pci/usb1/1-1/sound/card2")
LOOPBACK = SoundCard("Loopback", "Loopback")


def test_each_card_is_listed_once_with_its_bus(tmp_path: Path) -> None:
    device = tmp_path / "devices" / "usb1" / "sound" / "card2"
    device.mkdir(parents=True)
    (tmp_path / "card2").symlink_to(device)
    available = cards(LISTED, tmp_path)
    assert [card.id for card in available] == ["vc4hdmi0", "Headphones", "Device"]
    assert available[2] == SoundCard("Device", "USB Audio Device", str(device))


def test_a_machine_without_cards_lists_none() -> None:
    assert cards("") == []
    assert cards("aplay: device_list:274: no soundcards found...") == []


@pytest.mark.parametrize(
    ("available", "card"),
    [
        ([SCREEN], SCREEN),
        ([SCREEN, SOCKET], SOCKET),
        ([OLD_SCREEN, SOCKET], SOCKET),
        ([SCREEN, SOCKET, USB], USB),
        ([LOOPBACK, SCREEN], SCREEN),
        ([LOOPBACK], LOOPBACK),
    ],
)
def test_a_loudspeaker_comes_before_the_socket_and_the_socket_before_a_screen(
    available: list[SoundCard], card: SoundCard
) -> None:
    assert choose_from(available, AUTO_CARD) == CardChoice(card.id)


def test_the_configuration_may_name_a_card_or_leave_it_to_alsa() -> None:
    assert choose_from([SCREEN, USB], ALSA_CARD) == CardChoice("")
    assert choose_from([SCREEN, USB], "vc4hdmi0") == CardChoice("vc4hdmi0")


def test_a_missing_card_is_reported_with_the_available_ones() -> None:
    problem = choose_from([SCREEN, SOCKET], "Device").problem
    assert problem is not None
    assert "no sound card 'Device', only vc4hdmi0, Headphones" in problem
    assert choose_from([], "Device") == CardChoice(problem=sound_card.NO_CARD)


def test_the_nodes_change_with_the_cards_and_their_permissions(tmp_path: Path) -> None:
    assert nodes(tmp_path / "none") == frozenset()
    for name in ("controlC0", "pcmC0D0p", "pcmC0D0c", "timer"):
        (tmp_path / name).touch()
    assert nodes(tmp_path) == {("pcmC0D0p", True)}


def test_engines_are_searched_again_only_when_the_cards_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    available: list[frozenset[tuple[str, bool]]] = [frozenset()]
    choices = [CardChoice(problem=sound_card.NO_CARD), CardChoice("Device")]
    monkeypatch.setattr(sound_card, "nodes", lambda: available[-1])
    monkeypatch.setattr(sound_card, "choose", lambda _: choices.pop(0))
    voices = EngineFinder(EngineChoice.ESPEAK, Sound())
    assert voices.search() == ()
    assert voices.search() is None
    available.append(frozenset({("pcmC0D0p", True)}))
    found = voices.search()
    assert found is not None
    assert [engine.name for engine in found] == ["espeak-ng"]
    assert voices.search() is None


def test_a_silent_box_searches_for_nothing() -> None:
    assert EngineFinder(EngineChoice.NONE, Sound()).search() is None
