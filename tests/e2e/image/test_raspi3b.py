"""The very card in QEMU's Raspberry Pi 3: its own card reader, USB and pins."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.boxed import ANSWER_S, Box, boxed, card
from tests.support.ear import ear
from tests.support.house import House, house

from bigred_broker.messages import Phase
from bigred_image import board
from bigred_server.demo.site import Site

pytestmark = pytest.mark.timeout(900)

RED, GREEN, BLUE = 17, 27, 22
DEPLOYED_S = 300.0


@pytest.fixture(scope="module")
def place() -> Iterator[House]:
    with house(2, Site()) as place:
        yield place


@pytest.fixture(scope="module")
def box(built: Path, place: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("raspi3b") / "box"
    with ExitStack() as stack:
        heard = stack.enter_context(ear(place.stage.broker.port))
        box = stack.enter_context(boxed(built, folder, board.RASPI3B, heard))
        box.guest.write("bigred.toml", card(place.stage.broker.port))
        yield box


def test_the_card_starts_a_raspberry_pi_that_lights_up_and_deploys(box: Box, place: House) -> None:
    box.switch_on()
    box.live.cable.plug()
    box.online()
    box.ear.until(
        lambda: (box.tell("state") or {}).get("button_connected") is True, ANSWER_S, "the button"
    )
    assert "Raspberry Pi 3" in box.tell("info")["model"]
    assert "light" in box.tell("info")["capabilities"]
    replies = f"bigred/box/{box.name}/reply"
    place.submit("1.1.0")
    box.guest.button.open_lid()
    box.ear.until(
        lambda: any(one.body["answer"] == "armed" for one in box.ear.of(replies)),
        ANSWER_S,
        "the arming",
    )
    box.ear.until(lambda: any(map(box.live.monitor.pin, (RED, GREEN, BLUE))), ANSWER_S, "a light")
    box.guest.button.press()
    box.ear.until(
        lambda: (box.ear.last("bigred/app/shop/state") or {}).get("phase") == Phase.SUCCEEDED,
        DEPLOYED_S,
        "the deployment has succeeded",
    )
    assert set(place.serving().values()) == {"1.1.0"}
    box.ear.until(lambda: box.live.monitor.pin(GREEN), ANSWER_S, "green")
