"""Business metrics over a real broker."""

import asyncio
from pathlib import Path

from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.link import Link
from bigred_broker.program import free_port
from bigred_server.settings.series import SeriesSettings
from bigred_server.telemetry.subscriptions import Subscriptions

TOTAL = SeriesSettings(mqtt="shop/orders")


async def test_values_arrive_over_the_broker(tmp_path: Path) -> None:
    with mosquitto.running(tmp_path / "mqtt", free_port()) as broker:
        heard = Subscriptions(broker, "listener", {"total": TOTAL})
        running = asyncio.create_task(heard.run())
        teller = Link(broker, "teller", "t/status", [])
        telling = asyncio.create_task(teller.run())
        teller.keep("shop/orders", b"12")
        await until(lambda: bool(heard._last), 15, "the total arrives")
        assert heard.read("total") == 12.0
        for task in (running, telling):
            task.cancel()
        await asyncio.gather(running, telling, return_exceptions=True)
