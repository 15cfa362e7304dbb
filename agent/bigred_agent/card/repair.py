"""Turns a `bigred.toml` of a person who is no programmer into TOML, line by line. Pure.

A line stays as it is if it is right, and stays in its place always, so that complaints name the
lines that the person sees. What can be meant in two ways is a complaint.
"""

import difflib
import re
from dataclasses import dataclass, field

from bigred_agent.card import headings, quoting, vocabulary
from bigred_agent.card.mistakes import Complaint, Mistake
from bigred_agent.card.quoting import UnclearError
from bigred_agent.card.vocabulary import HEADINGS, KINDS, SPOKEN_HEADINGS, Key

_LINE = re.compile(r"([^\r\n]*)(\r?\n|$)")
# Also those of other formats, and lines that are drawn.
_COMMENT = re.compile(r"\s*(#|//|;|[^\w\[\](){}\"'=\s]+\s*$)")
_SETTING = re.compile(
    r"(?P<indent>\s*)[^\w#]?(?P<key>[^\W\d][\w .-]*?)[^\w\s]?\s*"
    r"(?:=+|:=?|\uff1d|\uff1a)\s*(?P<value>.*)"
)
_FIRST_WORD = re.compile(r"\s*([^\W\d][\w-]*)\s+\S")
_CLOSE_ENOUGH = 0.6
# These are empty in the original file.
_FILLED_COMMENT = re.compile(r"""\s*#+\s*(ssid|username|password)\s*=\s*["'][^"']""")


@dataclass
class Repaired:
    """The text as TOML, if there are no complaints; `notes` say what was taken as meant."""

    text: str = ""
    notes: list[str] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)


def repaired(text: str) -> Repaired:
    """Repair a text whose line ends are those of Unix or Windows."""
    found_lines = list(_LINE.finditer(text))
    present = {section for found in found_lines if (section := headings.section(found[1]))}
    scan = _Scan(present)
    lines = [scan.line(number, found) for number, found in enumerate(found_lines, 1)]
    scan.done.text = "".join(lines)
    return scan.done


@dataclass
class _Scan:
    """Reads line after line. `present`: all headings; `section`: the current one.

    It is None below a heading that is not ours.
    """

    present: set[str]
    done: Repaired = field(default_factory=Repaired)
    section: str | None = ""
    ends_with: str = ""
    first: dict[Key, int] = field(default_factory=dict)
    first_headings: dict[str, int] = field(default_factory=dict)
    commented: dict[str, int] = field(default_factory=dict)
    misplaced: set[str] = field(default_factory=set)

    def line(self, number: int, found: re.Match[str]) -> str:
        line, end = found[1], found[2]
        return f"{self._line(number, line)}{end}"

    def _line(self, number: int, line: str) -> str:
        if self.ends_with:
            self.ends_with = "" if self.ends_with in line else self.ends_with
            return line
        if not line.strip():
            return line
        if comment := _COMMENT.match(line):
            self._comment(number, line)
            return line if comment[1] == "#" else f"# {line}"
        if (section := headings.section(line)) is not None:
            return self._heading(number, line, section)
        if self.section is None:
            return line
        if setting := _SETTING.fullmatch(line):
            return self._setting(number, line, setting, self.section)
        return self._unknown(number, line)

    def _comment(self, number: int, line: str) -> None:
        filled = _FILLED_COMMENT.match(line)
        if filled:
            self._note(number, f"{filled[1]} is filled in, but the # before it makes it a comment")
        if hidden := headings.commented(line):
            self.commented[hidden] = number

    def _heading(self, number: int, line: str, section: str) -> str:
        if section not in HEADINGS:
            self.section = None
            self._unknown_heading(number, section)
            return line
        self.section = section
        if section in self.first_headings:
            first = self.first_headings[section]
            self._complain(Mistake.REPEATED_HEADING, number, section=section, first=first)
        self.first_headings.setdefault(section, number)
        right = headings.right(section, line)
        if right != line:
            self._note(number, f"taken as the heading [{section}]")
        return right

    def _unknown_heading(self, number: int, section: str) -> None:
        if section.partition(".")[0] in HEADINGS:
            return  # a part of ours, such as [lights.patterns]
        near = difflib.get_close_matches(section.casefold(), HEADINGS, 1, _CLOSE_ENOUGH)
        if near:
            details = {"key": section, "near": near[0], "thing": SPOKEN_HEADINGS[near[0]]}
            self._complain(Mistake.MISSPELT_KEY, number, **details)
        else:
            self._complain(Mistake.UNKNOWN_KEY, number, key=section)

    def _setting(self, number: int, line: str, setting: re.Match[str], section: str) -> str:
        raw = setting["value"]
        named = setting["key"].strip()
        if "." in named or vocabulary.heading(named):
            return line
        key = self._key(number, named, section)
        if key is None:
            return line
        details = {"thing": vocabulary.spoken(key), "key": key[1]}
        if key in self.first and not self._is_misplaced(named):
            self._complain(Mistake.REPEATED, number, first=self.first[key], **details)
        self.first.setdefault(key, number)
        self.ends_with = quoting.opens(KINDS[key], raw)
        if self.ends_with:
            return line
        try:
            value = quoting.value(KINDS[key], raw)
        except UnclearError as error:
            example = "1883" if key[1] == "port" else "0.5"
            self._complain(error.mistake, number, example=example, **details)
            return line
        if value is None:
            self._note(number, f"{key[1]} has no value, so it is not set")
            return f"#{line}"
        if value == raw.strip() and re.match(rf"\s*{key[1]}\s*=[^=]", line):
            return line
        self._note(number, f"taken as {key[1]} = ..., with quotation marks where they belong")
        return f"{setting['indent']}{key[1]} = {value}"

    def _key(self, number: int, named: str, section: str) -> Key | None:
        """Return the key that is meant; None after a complaint."""
        meant = vocabulary.keys_like(named)
        if here := [key for key in meant if key[0] == section]:
            return here[0]
        if not meant:
            self._unknown_key(number, named, section)
            return None
        if not self._is_misplaced(named):
            self.misplaced.add(meant[0][0])
            self._misplaced(number, meant[0])
        return None

    def _is_misplaced(self, named: str) -> bool:
        """Whether others of its heading are in a wrong place, so that it probably is, too."""
        return any(key[0] in self.misplaced for key in vocabulary.keys_like(named))

    def _misplaced(self, number: int, key: Key) -> None:
        section, name = key
        heading = SPOKEN_HEADINGS.get(section, "")
        details = {"section": section, "heading": heading, "key": name, "line_of_key": number}
        if not section:
            to = {"to": "to the top", "to_written": "to the top of the file"}
            self._complain(Mistake.WRONG_HEADING, number, **details, **to)
        elif section in self.present:
            to = {"to": f"below {heading}", "to_written": f"below [{section}]"}
            self._complain(Mistake.WRONG_HEADING, number, **details, **to)
        elif section in self.commented:
            self._complain(Mistake.COMMENTED_HEADING, self.commented[section], **details)
        else:
            self._complain(Mistake.NO_HEADING, number, **details)

    def _unknown_key(self, number: int, named: str, section: str) -> None:
        known = {key[1]: key for key in KINDS if key[0] == section}
        near = difflib.get_close_matches(named.casefold(), known, 1, _CLOSE_ENOUGH)
        if near:
            thing = vocabulary.spoken(known[near[0]])
            self._complain(Mistake.MISSPELT_KEY, number, key=named, near=near[0], thing=thing)
        else:
            self._complain(Mistake.UNKNOWN_KEY, number, key=named)

    def _unknown(self, number: int, line: str) -> str:
        word = _FIRST_WORD.match(line)
        if word and vocabulary.keys_like(word[1]):
            self._complain(Mistake.NO_EQUALS, number, key=word[1])
        else:
            reason = "no heading, and no word with an equals sign"
            self._complain(Mistake.NOT_UNDERSTOOD, number, reason=reason)
        return line

    def _complain(self, mistake: Mistake, number: int, **details: object) -> None:
        self.done.complaints.append(mistake.at(number, **details))

    def _note(self, number: int, text: str) -> None:
        self.done.notes.append(f"line {number}: {text}")
