"""An MQTT client that sends each packet at once, as a box does."""

import socket
from typing import cast

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


def prompt_client(name: str) -> mqtt.Client:
    """Return a client that never waits to fill a packet: that would cost 40 ms."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
    )
    client.on_socket_open = lambda _client, _data, opened: cast(socket.socket, opened).setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )
    return client
