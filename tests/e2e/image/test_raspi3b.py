"""The same card in QEMU's Raspberry Pi 3, with its own card reader, USB and pins."""

import contextlib
from pathlib import Path
from typing import Any  # JSON

import pytest
from tests.support.boxed import ANSWER_S, Box, at_home

from bigred_broker.messages import Phase
from bigred_image import board

pytestmark = pytest.mark.timeout(900)

RED, GREEN, BLUE = 17, 27, 22


def test_the_card_boots_a_raspberry_pi_that_lights_up_and_deploys(
    built: Path, tmp_path: Path
) -> None:
    with at_home(built, tmp_path / "box", board.RASPI3B, 2) as (place, box):
        box.switch_on()
        box.live.cable.plug()
        box.online()
        box.wait_for_button()
        assert "Raspberry Pi 3" in box.last("info")["model"]
        assert "light" in box.last("info")["capabilities"]
        pin = box.live.monitor.pin
        assert box.arm(place, "1.1.0")["answer"] == "armed"
        box.recorder.until(lambda: any(map(pin, (RED, GREEN, BLUE))), ANSWER_S, "a light")
        fired = _fired(box)
        assert fired["answer"] == "accepted"
        box.until_phase(Phase.SUCCEEDED, fired["deployment"])
        assert set(place.serving().values()) == {"1.1.0"}
        box.recorder.until(lambda: pin(GREEN), ANSWER_S, "green")


def _fired(box: Box) -> dict[str, Any]:
    """Push, and return the reply; lift the lid and push once more if there is none.

    This emulated box may stand still for seconds while it speaks and lights up. It then sends no
    press, and is not armed any more.
    """
    with contextlib.suppress(AssertionError):
        return box.push()
    box.guest.button.close_lid()
    assert box.lift()["answer"] == "armed"
    return box.push()
