"""Finds the Debian mirrors of this machine in its own apt sources.

No mirror is hard-coded: the image uses those that the building machine trusts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_image.errors import ImageError

FOLDER = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
_CONTINUED = re.compile(r"\n[ \t]+")
NO_MIRROR = (
    "the apt sources of this machine have no Debian mirror; name one with --mirror URL "
    "and --security-mirror URL"
)


@dataclass(frozen=True)
class Source:
    """One archive: its address and one of its suites."""

    uri: str
    suite: str


@dataclass(frozen=True)
class Mirrors:
    """The addresses of Debian and of its security updates."""

    debian: str
    security: str

    def sources(self, suite: str) -> str:
        """Return a sources.list for a suite with its updates and backports."""
        components = "main non-free-firmware"
        return "".join(
            f"deb {uri} {name} {components}\n"
            for uri, name in (
                (self.debian, suite),
                (self.debian, f"{suite}-updates"),
                (self.debian, f"{suite}-backports"),
                (self.security, f"{suite}-security"),
            )
        )


def mirrors(folder: Path = FOLDER, os_release: Path = OS_RELEASE) -> Mirrors:
    """Return the mirrors of this machine's own suite. Raises ImageError if there are none."""
    suite = _codename(os_release)
    found = list(_sources(folder))
    debian = [source.uri for source in found if source.suite == suite]
    security = [source.uri for source in found if source.suite == f"{suite}-security"]
    if not suite or not debian or not security:
        raise ImageError(NO_MIRROR)
    return Mirrors(debian[0], security[0])


def _codename(os_release: Path) -> str:
    values = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"') if values.get("ID") == "debian" else ""


def _sources(folder: Path) -> Iterator[Source]:
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.exists():
            yield from _one_line(path.read_text())
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        yield from _deb822(path.read_text())


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:1] == ["deb"]:
            if words[1:2] and words[1].startswith("["):
                words = ["deb", *line.partition("]")[2].split()]
            if len(words) > 2:
                yield Source(words[1].rstrip("/"), words[2])


def _deb822(file: str) -> Iterator[Source]:
    for stanza in file.split("\n\n"):
        text = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
        lines = _CONTINUED.sub(" ", text).splitlines()
        pairs = (line.partition(":") for line in lines)
        fields = {key.strip().lower(): value.split() for key, _, value in pairs}
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for uri in fields.get("uris", []):
                for suite in fields.get("suites", []):
                    yield Source(uri.rstrip("/"), suite)
