"""Tomcat's versions of an app: names that sort in the order of their deployment. Pure.

Tomcat sends new users to the version whose name is the greatest as a *string*. The leading letter
sorts our versions after those that people number by hand.
"""

import re
from collections.abc import Sequence

from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version

_NAME = re.compile(r"b([0-9]{10})-([0-9a-f]{64})")


def name(number: int, digest: str) -> str:
    """Return the name of the `number`-th version, which has the WAR `digest`."""
    return f"b{number:010d}-{digest}"


def digest_of(version: str) -> str:
    """Return the WAR's digest in a version's name; UNKNOWN_DIGEST if the name is not ours."""
    found = _NAME.fullmatch(version)
    return found[2] if found else UNKNOWN_DIGEST


def following(versions: Sequence[Version], digest: str) -> str:
    """Return the name for a new version, with the WAR `digest`, that sorts after all others."""
    numbers = [int(found[1]) for one in versions if (found := _NAME.fullmatch(one.name))]
    return name(max(numbers, default=0) + 1, digest)


def newest(versions: Sequence[Version]) -> Version | None:
    """Return the version that new users get; None if none is running."""
    return max((one for one in versions if one.running), key=lambda one: one.name, default=None)
