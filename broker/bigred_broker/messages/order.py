"""What the server asks of a box."""

from bigred_broker.messages.base import Id, Message, Text


class SetSay(Message):
    """`box/<box>/set/say`: speak this sentence."""

    text: Text


class SetLight(Message):
    """`box/<box>/set/light`: show this pattern until the next change of state."""

    pattern: Id


class SetIdentify(Message):
    """`box/<box>/set/identify`: blink and speak, so that people find you."""


class SetConfig(Message):
    """`box/<box>/set/config`: change how the box speaks; what is left out stays as it is."""

    pack: Id | None = None
    muted: bool | None = None
