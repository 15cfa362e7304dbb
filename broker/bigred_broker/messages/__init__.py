"""The messages between box and server, as the README's table lists them.

One JSON object per topic, numbers as numbers, `"v": 1`. Unknown keys are ignored, so that a newer
sender can add some; an unknown `v` is refused. All messages pass through `encode` and `decode`.
"""

from bigred_broker.button import EventType, Lid
from bigred_broker.messages.app import (
    MOST_TEXT,
    OUTCOMES,
    AppChanges,
    AppEvent,
    AppEventType,
    AppState,
    ChangeNote,
    JudgementNote,
    NodeNote,
    NodeState,
    Phase,
    Progress,
    ReleaseNote,
)
from bigred_broker.messages.base import (
    VERSION,
    Amount,
    Count,
    Digest,
    Id,
    Message,
    Status,
    Text,
    build_schemas,
)
from bigred_broker.messages.box import (
    ANSWER_DEADLINE_S,
    MAX_ANSWER_DEADLINE_S,
    BoxEvent,
    BoxInfo,
    BoxState,
    LightState,
    VoiceState,
)
from bigred_broker.messages.clock import Beacon, ServerClock
from bigred_broker.messages.codec import (
    MAX_BYTES,
    TOPIC_AND_PROPERTIES,
    MessageError,
    decode,
    decode_status,
    encode,
)
from bigred_broker.messages.command import SetConfig, SetIdentify, SetLight, SetSay
from bigred_broker.messages.reply import Answer, Refusal, Reply

__all__ = [
    "ANSWER_DEADLINE_S",
    "MAX_ANSWER_DEADLINE_S",
    "MAX_BYTES",
    "MOST_TEXT",
    "OUTCOMES",
    "TOPIC_AND_PROPERTIES",
    "VERSION",
    "Amount",
    "Answer",
    "AppChanges",
    "AppEvent",
    "AppEventType",
    "AppState",
    "Beacon",
    "BoxEvent",
    "BoxInfo",
    "BoxState",
    "ChangeNote",
    "Count",
    "Digest",
    "EventType",
    "Id",
    "JudgementNote",
    "Lid",
    "LightState",
    "Message",
    "MessageError",
    "NodeNote",
    "NodeState",
    "Phase",
    "Progress",
    "Refusal",
    "ReleaseNote",
    "Reply",
    "ServerClock",
    "SetConfig",
    "SetIdentify",
    "SetLight",
    "SetSay",
    "Status",
    "Text",
    "VoiceState",
    "build_schemas",
    "decode",
    "decode_status",
    "encode",
]
