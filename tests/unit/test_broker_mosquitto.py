"""Mosquitto's configuration follows ours, and opens nothing to other machines."""

from pathlib import Path

import pytest

from bigred_broker import mosquitto
from bigred_broker.messages import MAX_BYTES
from bigred_broker.settings import BrokerSettings


def lines(broker: BrokerSettings, state: Path | None = None) -> list[str]:
    return mosquitto.configuration(broker, state).splitlines()


def test_it_listens_on_loopback_at_our_port() -> None:
    listeners = [line for line in lines(BrokerSettings(port=1999)) if line.startswith("listener")]
    assert listeners == ["listener 1999 127.0.0.1"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "broker.example", "::"])
def test_an_open_listener_beyond_this_machine_is_refused(host: str) -> None:
    with pytest.raises(mosquitto.ListenerError, match=r"127\.0\.0\.1 only"):
        mosquitto.configuration(BrokerSettings(host=host))


def test_a_packet_may_be_larger_than_a_message_but_not_by_much() -> None:
    [limit] = [line for line in lines(BrokerSettings()) if line.startswith("max_packet_size")]
    assert MAX_BYTES < int(limit.split()[1]) <= 2 * MAX_BYTES


def test_it_keeps_a_database_only_if_configured() -> None:
    without = lines(BrokerSettings())
    assert "persistence false" in without
    assert not any(line.startswith("persistence_location") for line in without)
    kept = lines(BrokerSettings(), Path("/var/lib/x"))
    assert "persistence true" in kept
    assert "persistence_location /var/lib/x/" in kept


def test_small_packets_are_sent_at_once() -> None:
    assert "set_tcp_nodelay true" in lines(BrokerSettings())


def test_a_folder_whose_name_would_begin_another_line_is_refused() -> None:
    with pytest.raises(mosquitto.ListenerError, match="has a control character"):
        mosquitto.configuration(BrokerSettings(), Path("/var/lib/x\nallow_anonymous true"))
