"""The pages: their links are valid, and the commands and settings that they show exist."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bigred_agent.cli import main as bigred_agent

# asyncssh starts ldconfig once, when it is imported: not within a test.
from bigred_server.cli import bigred, doctor  # noqa: F401
from bigred_server.settings import Settings, example

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("image/*.md")])

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.+)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# Only calls of the program: a path below /var/lib/bigred or a topic bigred/# is not a command.
_CALL = re.compile(r"(?<![\w/-])(\./|\.venv/bin/)?(bigred(?:-agent)?)((?: +[^\s|&;>#]+)+)")
_ON_ITS_OWN_MARGIN = re.compile(r"^  ([a-z]+) ", re.MULTILINE)

_PROGRAMS: dict[str, click.Group] = {"bigred": bigred, "bigred-agent": bigred_agent}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose(page)))
    return {title.replace(" ", "-") for title in kept}


def blocks(page: Path, language: str) -> list[str]:
    found = _FENCED.findall(page.read_text(encoding="utf-8"))
    return [text for tag, text in found if tag == language]


def calls(page: Path) -> Iterator[tuple[str, bool, list[str]]]:
    """Yield each program that a page calls, whether as ./bigred, and its arguments."""
    text = prose(page)
    for code in [*blocks(page, "sh"), *_INDENTED.findall(text), *_SPAN.findall(text)]:
        for place, program, words in _CALL.findall(code):
            yield program, place == "./", words.split()


def verbs_of_the_script() -> set[str]:
    usage = (ROOT / "bigred").read_text(encoding="utf-8").partition("\nusage() {")[2]
    return set(_ON_ITS_OWN_MARGIN.findall(usage.partition("\nEND\n")[0]))


def fault(program: str, words: list[str]) -> str:
    """Return what a command line names that does not exist, or ""."""
    command: click.Command = _PROGRAMS[program]
    context = click.Context(command)
    left = list(words)
    while isinstance(command, click.Group) and left and left[0][0].islower():
        found = command.get_command(context, left[0])
        if found is None:
            return left[0]
        command, left = found, left[1:]
    known = {"--help", "-h", "--version"}
    known.update(*(each.opts for each in command.params if isinstance(each, click.Option)))
    return next((word for word in left if word.startswith("-") and word not in known), "")


def merged(base: dict[str, object], more: dict[str, object]) -> dict[str, object]:
    both = dict(base)
    for key, value in more.items():
        before = both.get(key)
        is_table = isinstance(before, dict) and isinstance(value, dict)
        both[key] = merged(before, value) if is_table else value  # type: ignore[arg-type]
    return both


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in headings(there)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    scripted = verbs_of_the_script() - {*bigred.list_commands(click.Context(bigred))}
    unknown = []
    for program, by_script, words in calls(page):
        if by_script and words[0] in scripted:
            continue
        if wrong := fault(program, words):
            unknown.append(f"{program} {' '.join(words)}: {wrong}")
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_setting_that_a_page_shows_is_accepted(page: Path) -> None:
    reference = tomllib.loads(example())
    for text in blocks(page, "toml"):
        Settings.model_validate(merged(reference, tomllib.loads(text)))


def test_every_page_in_docs_can_be_reached_from_the_readme() -> None:
    linked = {(ROOT / target).resolve() for target in _LINK.findall(prose(ROOT / "README.md"))}
    assert [name(page) for page in PAGES if page.parent.name == "docs" and page not in linked] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("deploy --no-wait", ""),
        ("deploi", "deploi"),
        ("release clear 1.4.2", ""),
        ("release forget", "forget"),
        ("status --yaml", "--yaml"),
        ("COMMAND --help", ""),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(line: str, wrong: str) -> None:
    assert fault("bigred", line.split()) == wrong


def test_the_verbs_of_the_script_are_read_from_its_usage() -> None:
    assert {"demo", "test", "check", "bench", "image", "help"} <= verbs_of_the_script()
