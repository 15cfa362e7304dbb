"""Tomcat's versions of an app: names that sort in the order in which they were made. Pure.

Tomcat sends new users to the version whose name is the greatest as a *string*. A letter in front
sorts ours after those that people number by hand.
"""

import re
from collections.abc import Sequence

from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version

_NAME = re.compile(r"b([0-9]{10})-([0-9a-f]{64})")


def name(number: int, digest: str) -> str:
    """Give the name of the version that is made as the `number`-th with a WAR."""
    return f"b{number:010d}-{digest}"


def digest_of(version: str) -> str:
    """Read the WAR's digest from a version's name; UNTOLD when it is not one of ours."""
    found = _NAME.fullmatch(version)
    return found[2] if found else UNKNOWN_DIGEST


def following(versions: Sequence[Version], digest: str) -> str:
    """Give the name for one more version with a WAR."""
    numbers = [int(found[1]) for one in versions if (found := _NAME.fullmatch(one.name))]
    return name(max(numbers, default=0) + 1, digest)


def newest(versions: Sequence[Version]) -> Version | None:
    """Give the version that new users get."""
    return max((one for one in versions if one.running), key=lambda one: one.name, default=None)
