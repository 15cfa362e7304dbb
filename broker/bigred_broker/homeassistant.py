"""Home Assistant discovery: one retained message adds a box and its apps, without any setup.

Nothing offered to Home Assistant can fire a deployment: only the button can.
"""

import json
from collections.abc import Sequence

from bigred_broker.messages import (
    MAX_BYTES,
    BoxInfo,
    EventType,
    Lid,
    MessageError,
    Phase,
    SetIdentify,
    Status,
    encode,
)
from bigred_broker.topics import Topics

BIRTH_TOPIC = "homeassistant/status"
_BIRTH = Status.ONLINE.value.encode()
_UNKNOWN = "None"  # Home Assistant reads it as "unknown"

Json = dict[str, object]


def is_birth(topic: str, payload: bytes) -> bool:
    """Return whether Home Assistant has just started, which calls for every `discovery` again.

    Use `Link.publish` for it: `Link.keep` would not send an unchanged message.
    """
    return topic == BIRTH_TOPIC and payload == _BIRTH


def discovery_topic(topics: Topics, box: str) -> str:
    """The topic of a box's retained announcement; an empty payload removes the box."""
    topics.box(box, "status")  # refuses an invalid id
    return f"homeassistant/device/{box}/config"


def discovery(topics: Topics, box: str, apps: Sequence[str], info: BoxInfo) -> tuple[str, bytes]:
    """Return topic and payload, to be retained, that announce a box and the apps it may fire.

    The same arguments give the same bytes, whatever the order of the apps. Raises ValueError for
    an invalid id, and MessageError for more apps than fit into one message (about 20).
    """
    me = f"{topics.prefix}_{box}"
    components = _box_components(topics, box)
    for app in apps:
        components |= _app_components(topics, app)
    for key, component in components.items():
        component["unique_id"] = f"{me}_{key}"
    payload = json.dumps(
        {
            "dev": _device(me, box, info),
            "o": {"name": "Bigred"},
            "availability_topic": topics.box(box, "status"),
            "payload_available": Status.ONLINE.value,
            "payload_not_available": Status.OFFLINE.value,
            "cmps": components,
        },
        separators=(",", ":"),
        sort_keys=True,
    ).encode()
    if len(payload) > MAX_BYTES:
        raise MessageError(
            f"box {box!r} with {len(apps)} apps: {len(payload)} bytes are over {MAX_BYTES}"
        )
    return discovery_topic(topics, box), payload


def _device(me: str, box: str, info: BoxInfo) -> Json:
    device: Json = {"ids": [me], "name": f"Bigred {box}", "sw": info.agent}
    if info.model:
        device["mdl"] = info.model
    return device


def _box_components(topics: Topics, box: str) -> dict[str, Json]:
    state = topics.box(box, "state")
    return {
        "event": {
            "platform": "event",
            "name": "Button",
            "device_class": "button",
            "state_topic": topics.box(box, "event"),
            "event_types": [kind.value for kind in EventType],
            # Only the event type: ids, ages and armings are not worth recording.
            "value_template": '{"event_type": "{{ value_json.event_type }}"}',
        },
        "lid": {
            "platform": "binary_sensor",
            "name": "Lid",
            "device_class": "opening",
            "state_topic": state,
            "payload_on": Lid.OPEN.value,
            "payload_off": Lid.CLOSED.value,
            "value_template": (
                f"{{{{ '{_UNKNOWN}' if value_json.lid == '{Lid.UNKNOWN.value}'"
                " else value_json.lid }}"
            ),
        },
        "button": {
            "platform": "binary_sensor",
            "name": "Button connected",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": state,
            "payload_on": "ON",
            "payload_off": "OFF",
            "value_template": "{{ 'ON' if value_json.button_connected else 'OFF' }}",
        },
        "identify": {
            "platform": "button",
            "name": "Identify",
            "device_class": "identify",
            "entity_category": "diagnostic",
            "command_topic": topics.set(box, "identify"),
            "payload_press": encode(SetIdentify()).decode(),
        },
    }


def _app_components(topics: Topics, app: str) -> dict[str, Json]:
    # The server reports an app, not the box: it stays available while the box is offline.
    common: Json = {
        "platform": "sensor",
        "availability_topic": topics.server_status,
        "state_topic": topics.app(app, "state"),
    }
    return {
        f"{app}_phase": common
        | {
            "name": f"{app} phase",
            "device_class": "enum",
            "options": [phase.value for phase in Phase],
            # Fields that are None are left out of a message.
            "value_template": f"{{{{ value_json.phase | default('{_UNKNOWN}') }}}}",
        },
        f"{app}_version": common
        | {
            "name": f"{app} version",
            "value_template": (
                f"{{{{ value_json.live.version if value_json.live is defined else '{_UNKNOWN}' }}}}"
            ),
        },
    }
