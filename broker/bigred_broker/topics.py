"""The MQTT topics. Nothing else in Bigred builds or parses a topic."""

import re
from dataclasses import dataclass
from typing import Literal

DEFAULT_PREFIX = "bigred"

ID_PATTERN = r"^[a-z0-9-]{1,32}$"
_ID = re.compile(r"[a-z0-9-]{1,32}")

BoxLeaf = Literal["status", "info", "state", "event", "reply", "doctor"]
SetLeaf = Literal["say", "light", "identify", "config"]
AppLeaf = Literal["state", "changes", "event"]


def is_id(text: str) -> bool:
    """Return whether a text is a valid id of a box, app or node: 1 to 32 of a-z, 0-9 and "-"."""
    return _ID.fullmatch(text) is not None


def _checked(name: str) -> str:
    if not is_id(name):
        raise ValueError(f"{name!r} is not a valid id; use 1 to 32 letters a-z, digits or hyphens")
    return name


@dataclass(frozen=True)
class Topics:
    """All topics under one prefix. Raises ValueError for an invalid id."""

    prefix: str = DEFAULT_PREFIX

    def box(self, box: str, leaf: BoxLeaf) -> str:
        """The topic of a box; it publishes there itself, but receives `reply`."""
        return f"{self.prefix}/box/{_checked(box)}/{leaf}"

    def set(self, box: str, leaf: SetLeaf) -> str:
        """The topic of the server's commands to a box."""
        return f"{self.prefix}/box/{_checked(box)}/set/{leaf}"

    def app(self, app: str, leaf: AppLeaf) -> str:
        """The topic on which the server reports an app."""
        return f"{self.prefix}/app/{_checked(app)}/{leaf}"

    @property
    def server_status(self) -> str:
        """The topic of the server's presence."""
        return f"{self.prefix}/server/status"

    @property
    def server_beacon(self) -> str:
        """The topic on which each server sends its clock every few seconds."""
        return f"{self.prefix}/server/beacon"

    @property
    def server_doctor(self) -> str:
        """The topic on which the server's doctor tries the broker."""
        return f"{self.prefix}/server/doctor"

    @property
    def server_get(self) -> str:
        """The topic on which anybody asks the server to publish every retained message again."""
        return f"{self.prefix}/server/get"

    @property
    def every_box(self) -> str:
        """The subscription to all boxes."""
        return f"{self.prefix}/box/+/+"

    def of_every_box(self, leaf: BoxLeaf) -> str:
        """The subscription to one topic of all boxes."""
        return f"{self.prefix}/box/+/{leaf}"

    def all_of_box(self, box: str) -> str:
        """The subscription to everything that one box publishes."""
        return f"{self.prefix}/box/{_checked(box)}/+"

    @property
    def every_app(self) -> str:
        """The subscription to all apps."""
        return f"{self.prefix}/app/+/+"

    @property
    def every_app_state(self) -> str:
        """The subscription to the states of all apps, without their events."""
        return f"{self.prefix}/app/+/state"

    def every_set(self, box: str) -> str:
        """The subscription to the server's commands to a box."""
        return f"{self.prefix}/box/{_checked(box)}/set/+"

    def parse(self, topic: str) -> tuple[str, ...] | None:
        """Split a topic below the prefix; None if it is not one of ours or has an invalid id.

        `bigred/box/red/event` gives ("box", "red", "event").
        """
        head, _, rest = topic.partition("/")
        levels = tuple(rest.split("/"))
        if head != self.prefix or len(levels) not in (2, 3, 4):
            return None
        if levels[0] in ("box", "app") and (len(levels) < 3 or not is_id(levels[1])):
            return None
        return levels
