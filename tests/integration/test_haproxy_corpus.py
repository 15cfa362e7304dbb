"""The corpus of haproxy.cfg files: what `init` writes, what the doctor finds, and its fixes."""

import asyncio
import contextlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support import forked
from tests.support.corpus_rollout import FakeNodes, addresses, answered, roll
from tests.support.haproxy_corpus import CORPUS, CorpusFile, faults, judged
from tests.support.sockets import listens
from tests.support.web import web

from bigred_broker.messages import Phase
from bigred_broker.program import find_program, running, wait_until
from bigred_server.doctor import haproxy_log
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.config_text import ProcessFacts
from bigred_server.haproxy.configfile import backend
from bigred_server.haproxy.pool import Pool
from bigred_server.haproxy.survey import Survey, survey
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.observation import Admin
from bigred_server.settings import load

_HEAD = re.compile(r"^(global|defaults|frontend|backend|listen|resolvers)\b *(\S*)", re.MULTILINE)
DEADLINE_S = 20.0
_FRONTS = ("frontend", "listen")
_SET = re.compile(r"`([^`]+)` in (?:the )?(global|frontend|backend)((?: [\w.:-]+)*)")


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's folder: in a lane, its name is too long for HAProxy's socket.
    with TemporaryDirectory(prefix="bigred-cfg-") as name:
        yield Path(name)


@contextlib.contextmanager
def served(one: CorpusFile, folder: Path, text: str = "") -> Iterator[str]:
    """Run HAProxy with a file of the corpus, or this form of it; provide its Runtime API's path."""
    config, at = folder / "haproxy.cfg", folder / "a.sock"
    config.write_text(text or one.runnable(folder))
    program = find_program("haproxy", "haproxy")
    variables = [f"{name}={value}" for name, value in one.environment.items()]
    argv = ["/usr/bin/env", *variables, program, "-db", "-f", str(config)]
    with running("haproxy", argv, folder / "haproxy.log", lambda: listens(at)):
        yield str(at)


# --- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: one.name)
def test_each_file_gives_what_is_written_beside_it(one: CorpusFile, folder: Path) -> None:
    path = folder / "bigred.toml"
    with served(one, folder) as at:
        done = forked.run("init", str(path), "--haproxy", at, "--backend", one.backend)
        assert done.returncode == 0, done.stderr
        seen: Survey = asyncio.run(survey(at))
    settings = load(path)
    ((name, app),) = settings.fleets.items()
    servers = [server.name for server in seen.backends[one.backend]]
    nodes = [name for name in servers if name not in one.expected("left_out")]
    assert [app.server_of(node) for node in app.nodes] == nodes
    assert one.expected("path") in ([], [app.marker.path])
    assert one.expected("context") in ([], [settings.context_of(name)])
    assert one.expected("url") in ([], [node.url for node in app.nodes.values()])
    assert ("is in mode tcp" in done.stdout) is ("haproxy-mode" in one.faults)
    assert "hunter2" not in path.read_text()
    found = judged(seen.proxy(one.backend), mode=seen.modes[one.backend])
    assert faults(found) == one.faults, found


# --- what a deployment does ----------------------------------------------------------------------


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: one.name)
def test_a_deployment_takes_each_node_out_and_brings_it_back(one: CorpusFile, folder: Path) -> None:
    path = folder / "bigred.toml"
    with contextlib.ExitStack() as stack:
        webs = {
            address: stack.enter_context(web(address))
            for address in addresses(one.runnable(folder))
        }
        at = stack.enter_context(served(one, folder, answered(one.runnable(folder), webs)))
        done = forked.run("init", str(path), "--haproxy", at, "--backend", one.backend)
        assert done.returncode == 0, done.stderr
        ((_, app),) = load(path).fleets.items()
        nodes = FakeNodes(app, replace(Pool.of(app.haproxy), check_s=5.0, blind_check_s=0.1))
        if one.expected("down"):
            wait_until(lambda: not any(serving(nodes)), DEADLINE_S, "no node serves")
            assert asyncio.run(roll(nodes, DEADLINE_S)).phase is Phase.ABORTED
            assert nodes.stopped == {}
            return
        wait_until(lambda: all(serving(nodes)), DEADLINE_S, "every node serves")
        record = asyncio.run(roll(nodes, DEADLINE_S))
        assert record.phase is Phase.SUCCEEDED, record
        assert {host.digest for host in nodes.hosts.values()} == {"new"}
        assert set(nodes.stopped.values()) == {Admin.MAINT}
        assert all(serving(nodes))


def serving(nodes: FakeNodes) -> list[bool]:
    looks, _ = asyncio.run(nodes.looks())
    return [is_serving(look) for look in looks.values()]


# --- what is proposed ----------------------------------------------------------------------------


def findings(text: str, one: CorpusFile) -> dict[str, Finding]:
    facts = ProcessFacts(one.environment, "2.6.12")
    return {found.code: found for found in judged(backend(text, one.backend, facts))}


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: one.name)
def test_no_proposed_fix_is_refused_by_haproxy_and_each_one_helps(
    one: CorpusFile, folder: Path
) -> None:
    text = one.runnable(folder)
    assert accepted(text, one, folder)
    for code, found in findings(text, one).items():
        fixed = applied(found, text, one, folder)
        if fixed != text:
            assert accepted(fixed, one, folder), found.fix
            if found.level in (Severity.BAD, Severity.WARN):
                assert findings(fixed, one)[code].level is Severity.OK, (found, fixed)


def test_the_lines_for_the_log_are_taken_by_haproxy(folder: Path) -> None:
    (one,) = (one for one in CORPUS if one.name == "complete")
    text, address = one.runnable(folder), "127.0.0.1:5514"
    wanted, *others = haproxy_log.lines(address).split("; in the frontend: ")
    text = added(text, wanted.removeprefix("in `global`: "), "global", [], one)
    for line in others:
        text = added(text, line, "frontend", [], one)
    assert accepted(text, one, folder)
    (found,) = haproxy_log.in_file("h", backend(text, one.backend), address)
    assert found.level is Severity.OK, found


def test_every_rule_of_the_file_is_broken_by_some_file_of_the_corpus() -> None:
    broken = {code for one in CORPUS for code in one.faults}
    assert broken == {found.code for found in judged(None)}


def accepted(text: str, one: CorpusFile, folder: Path) -> bool:
    """Return whether HAProxy takes a configuration."""
    config = folder / "check.cfg"
    config.write_text(text)
    done = subprocess.run(
        [find_program("haproxy", "haproxy"), "-c", "-f", str(config)],
        env={**os.environ, **one.environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "[ALERT]" not in done.stderr, done.stderr
    return done.returncode == 0


def applied(found: Finding, text: str, one: CorpusFile, folder: Path) -> str:
    """Do what a fix says, as a person does who follows it to the letter."""
    fix = found.fix
    if "remove `" in fix:
        word = fix.split("`")[1]
        return re.sub(rf" {word}(?= |$)", "", text, flags=re.MULTILINE)
    if "remove it" in fix:
        text = re.sub(r"^ +force-persist .*\n", "", text, flags=re.MULTILINE)
    if "on every server line" in fix:
        text = re.sub(r"^( +server (\S+) .*?)(?: cookie \S+)?$", r"\1 cookie \2", text, flags=re.M)
    if "no `cookie` on the server-template line" in fix:
        text = re.sub(r"(server-template .*) cookie \S+", r"\1", text)
    for line, kind, names in _SET.findall(fix):
        text = added(text, line.replace("FILE", f"{folder}/states"), kind, names.split(), one)
    return text


def added(text: str, line: str, kind: str, names: list[str], one: CorpusFile) -> str:
    """Add a line to sections: a `default-server` directly above the servers, all else at the end.

    `names`: the words after the kind of section in the fix; those of sections are meant.
    """
    proxy = backend(text, one.backend, ProcessFacts(one.environment, "2.6.12"))
    assert proxy is not None
    kinds = {"global": ("global",), "backend": ("backend", "listen")}.get(kind, _FRONTS)
    usual = {"global": [""], "backend": [one.backend]}.get(kind, [it.name for it in proxy.fronts])
    known = {name for _, name in _HEAD.findall(text)}
    chosen = [name for name in names if name in known] or usual
    # Each section begins with its head; the first piece is what stands above all of them.
    first, *sections = re.split(rf"(?={_HEAD.pattern})", text, flags=re.MULTILINE)[::3]
    for number, section in enumerate(sections):
        head = _HEAD.match(section)
        if head and head[1] in kinds and head[2] in chosen:
            end = section.rstrip() + f"\n    {line}\n\n"
            above = re.sub(r"^( +server)", rf"    {line}\n\1", section, count=1, flags=re.MULTILINE)
            sections[number] = above if line.startswith("default-server") else end
    return first + "".join(sections)
