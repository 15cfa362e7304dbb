"""The server's commands to a box."""

from bigred_broker.messages.base import Id, Message, Text


class SetSay(Message):
    """`box/<box>/set/say`: speak this sentence."""

    text: Text


class SetLight(Message):
    """`box/<box>/set/light`: show this pattern until the box's own pattern changes."""

    pattern: Id


class SetIdentify(Message):
    """`box/<box>/set/identify`: blink and speak, so that people find the box."""


class SetConfig(Message):
    """`box/<box>/set/config`: change how the box speaks; omitted fields stay unchanged."""

    pack: Id | None = None
    muted: bool | None = None
