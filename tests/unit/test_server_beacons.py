"""What the server's beacons tell the boxes."""

import asyncio

import pytest
from tests.support.until import until

from bigred_broker.messages import Beacon
from bigred_server.mqtt_gateway.beacons import Beacons

DEADLINE_S = 5.0


@pytest.mark.parametrize(("boxes", "spread_s"), [(0, 0.0), (10, 0.01), (10_000, 10.0)])
async def test_the_more_boxes_there_are_the_longer_they_take_to_come_back(
    boxes: int, spread_s: float
) -> None:
    sent: list[Beacon] = []
    running = asyncio.create_task(Beacons("run-1", sent.append, boxes).run())
    await until(lambda: sent != [], DEADLINE_S, "a beacon is sent")
    running.cancel()
    await asyncio.wait([running])
    assert (sent[0].spread_s, sent[0].clock.run) == (spread_s, "run-1")
