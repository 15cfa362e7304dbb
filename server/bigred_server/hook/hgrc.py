"""Our lines in Mercurial's configuration of a repository. Pure."""

import re

KEY = "changegroup.bigred"
_SECTION = re.compile(r"\[hooks\]")
_OUR_LINE = re.compile(rf"{re.escape(KEY)}\s*=")


def with_hook(text: str, comment: str, value: str) -> str:
    """Add the hook to a file, or replace it; leave every other line as it is."""
    lines = [one for one in text.splitlines(keepends=True) if not _OUR_LINE.match(one)]
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    ours = f"{KEY} = {value}{end}"
    for number, line in enumerate(lines):
        if _SECTION.match(line):
            lines[number] = line if line.endswith("\n") else line + end
            return "".join([*lines[: number + 1], ours, *lines[number + 1 :]])
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += end
    return "".join([*lines, *([end] if lines else []), f"{comment}{end}[hooks]{end}", ours])


def without_hook(text: str, comment: str) -> str:
    """Remove the hook from a file, and the section that it was alone in if we had added it."""
    lines = [one for one in text.splitlines(keepends=True) if not _OUR_LINE.match(one)]
    for number, line in enumerate(lines):
        if line.rstrip("\r\n") != comment:
            continue
        rest = lines[number + 2 :]
        alone = not rest or rest[0].startswith("[") or not rest[0].strip()
        before = lines[:number]
        if not alone or not _SECTION.match("".join(lines[number + 1 : number + 2])):
            return "".join([*before, *lines[number + 1 :]])
        if before and not before[-1].strip():
            before.pop()
        return "".join([*before, *rest])
    return "".join(lines)


def has_hook(text: str) -> bool:
    """Return whether a file has the hook."""
    return any(map(_OUR_LINE.match, text.splitlines()))
