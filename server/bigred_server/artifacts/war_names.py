"""The names of the entries of a WAR: which Tomcat can unpack, each to a place of its own. Pure."""

import re
import stat
import unicodedata
from collections.abc import Iterable

from bigred_server.artifacts.zip_directory import ZipMember

WEB_INF = "WEB-INF"
MOST_NAME_BYTES = 1024
_DRIVE = re.compile(r"[A-Za-z]:")
# Control characters, and the separators of lines and paragraphs.
_CONTROLS = ("Cc", "Zl", "Zp")
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_FILES = (0, stat.S_IFREG, stat.S_IFDIR)


def shown(name: bytes) -> str:
    """Return a name as it can be shown in a sentence, however strange."""
    return ascii(name.decode("utf-8", "backslashreplace")[:100])


def complaint(member: ZipMember) -> str:
    """Say what is wrong with the kind or the name of an entry, "" if nothing is."""
    if member.flags & _ENCRYPTED:
        return "is encrypted: Tomcat has no password"
    kind = stat.S_IFMT(member.mode)
    if kind == stat.S_IFLNK:
        return "is a symbolic link: pack the file that it leads to"
    if kind not in _FILES:
        return "is neither a file nor a folder"
    if len(member.name) > MOST_NAME_BYTES:
        return f"has a name of more than {MOST_NAME_BYTES} bytes"
    try:
        return _of_text(member.name.decode("utf-8"))
    except UnicodeDecodeError:
        return "has a name that is not UTF-8: Tomcat could not open the WAR"


def _of_text(name: str) -> str:
    if not name:
        return "has no name"
    if any(unicodedata.category(char) in _CONTROLS for char in name):
        return "has a control character in its name"
    if "\\" in name:
        return "has a backslash in its name: zip files have '/' between folders"
    if name.startswith("/"):
        return "has an absolute path: it must be inside the WAR"
    if _DRIVE.match(name):
        return "has a drive letter in its name: it must be inside the WAR"
    if ".." in name.split("/"):
        return "has '..' in its path: it could end up outside the WAR's folder"
    return ""


def place_of(member: ZipMember) -> str:
    """Return where an entry with a sound name ends up in the folder that Tomcat unpacks to."""
    parts = member.name.decode("utf-8").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def is_folder(member: ZipMember) -> bool:
    """Return whether an entry is a folder."""
    return member.name.endswith(b"/")


def twice(found: Iterable[ZipMember]) -> bytes | None:
    """Return a name that has the same place as another entry; None if there is none.

    A folder may be listed twice: programs that merge JARs do it, and it makes no difference.
    """
    kinds: dict[str, bool] = {}
    for member in found:
        place, folder = place_of(member), is_folder(member)
        if place in kinds and not (folder and kinds[place]):
            return member.name
        kinds[place] = folder
    return None


def has_web_inf(found: Iterable[ZipMember]) -> bool:
    """Return whether there is a folder WEB-INF, or anything in it."""
    return any(
        place.startswith(f"{WEB_INF}/") or (place == WEB_INF and is_folder(member))
        for member in found
        for place in [place_of(member)]
    )
