"""A client that answers each message of a box at once, without a server: what the broker costs.

    python -m tests.support.echo --port 1883

It answers on `echo/BOX/reply` what comes on `echo/BOX/event`, until it is terminated. It prints a
line when it is ready.
"""

import argparse
import sys

import paho.mqtt.client as mqtt
from tests.support.prompt_client import prompt_client


def main() -> None:
    """Answer until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    client = prompt_client("echo")
    client.on_connect = lambda client, *_: client.subscribe("echo/+/event", qos=1)
    client.on_subscribe = lambda *_: _report_ready()
    client.on_message = _answer
    client.connect("127.0.0.1", parser.parse_args().port)
    client.loop_forever()


def _report_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _answer(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
    client.publish(message.topic.replace("/event", "/reply"), message.payload, qos=1)


if __name__ == "__main__":
    main()
