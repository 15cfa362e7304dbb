"""The topics: who may say what, and where. Nothing else in Bigred builds or takes apart a topic."""

import re
from dataclasses import dataclass
from typing import Literal

DEFAULT_PREFIX = "bigred"

ID_PATTERN = r"^[a-z0-9-]{1,32}$"
_ID = re.compile(r"[a-z0-9-]{1,32}")

BoxLeaf = Literal["status", "info", "state", "event", "reply"]
SetLeaf = Literal["say", "light", "identify", "config"]
AppLeaf = Literal["state", "event"]


def is_id(text: str) -> bool:
    """Say whether a text may name a box, an app or a node: 1 to 32 of a-z, 0-9 and the hyphen."""
    return _ID.fullmatch(text) is not None


def _checked(name: str) -> str:
    if not is_id(name):
        raise ValueError(f"{name!r} is no id: 1 to 32 letters a-z, digits or hyphens are")
    return name


@dataclass(frozen=True)
class Topics:
    """All topics under one prefix. Raises ValueError for a name that is not an id."""

    prefix: str = DEFAULT_PREFIX

    def box(self, box: str, leaf: BoxLeaf) -> str:
        """Where one box speaks (`reply`: is answered)."""
        return f"{self.prefix}/box/{_checked(box)}/{leaf}"

    def set(self, box: str, leaf: SetLeaf) -> str:
        """Where the server asks one box to do something."""
        return f"{self.prefix}/box/{_checked(box)}/set/{leaf}"

    def app(self, app: str, leaf: AppLeaf) -> str:
        """Where the server tells of one app."""
        return f"{self.prefix}/app/{_checked(app)}/{leaf}"

    @property
    def server_status(self) -> str:
        """Whether the server lives."""
        return f"{self.prefix}/server/status"

    @property
    def every_box(self) -> str:
        """The subscription that hears all boxes."""
        return f"{self.prefix}/box/+/+"

    @property
    def every_app(self) -> str:
        """The subscription that hears all apps."""
        return f"{self.prefix}/app/+/+"

    @property
    def every_app_state(self) -> str:
        """The subscription that hears how all apps stand, without everything on the way."""
        return f"{self.prefix}/app/+/state"

    def every_set(self, box: str) -> str:
        """The subscription that hears all the server asks of one box."""
        return f"{self.prefix}/box/{_checked(box)}/set/+"

    def parse(self, topic: str) -> tuple[str, ...] | None:
        """Take a topic apart below the prefix; None when it is not ours or an id in it is bad.

        `bigred/box/red/event` gives ("box", "red", "event").
        """
        head, _, rest = topic.partition("/")
        levels = tuple(rest.split("/"))
        if head != self.prefix or len(levels) not in (2, 3, 4):
            return None
        if levels[0] in ("box", "app") and (len(levels) < 3 or not is_id(levels[1])):
            return None
        return levels
