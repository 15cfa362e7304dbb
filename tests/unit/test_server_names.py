"""Names that end up in others' commands and files are checked when the configuration is loaded."""

import re

import pytest

from bigred_broker.config import ConfigError, parse
from bigred_server.errors import HaproxyError
from bigred_server.haproxy import runtime
from bigred_server.haproxy.backend import Backend
from bigred_server.rollout.core.observation import Admin
from bigred_server.settings import Settings, example

BUILD = '[apps.shop.build]\nrepository = "/srv/x.git"\ncommand = ["make"]\nartifact = "x.war"\n'
HARMFUL = (
    "",
    "a;b",
    "a b",
    "a\nb",
    "a\tb",
    "a'b",
    'a"b',
    "a\\b",
    "a/b",
    "a\x00b",
    "ä",
    "a,b",
    "$a",
)


def literal(text: str) -> str:
    """Write a text as TOML."""
    return '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"'


def refusal(text: str) -> str:
    """Return the error of a configuration, without the name of the file."""
    with pytest.raises(ConfigError) as refused:
        parse(text, Settings, "bigred.toml")
    said = str(refused.value)
    assert re.fullmatch(r"bigred\.toml:[0-9]+: [^\n]+", said), said
    return said.split(": ", 1)[1]


def changed(old: str, new: str) -> str:
    text = example()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize("name", HARMFUL)
@pytest.mark.parametrize(
    ("line", "written", "key"),
    [
        ('backend = "shop"', "backend = {}", "apps.shop.haproxy.backend"),
        ('backend = "shop"', 'backend = ["shop", {}]', "apps.shop.haproxy.backend"),
        ('backend = "shop"', 'backend = "shop"\nunmanaged = [{}]', "apps.shop.haproxy.unmanaged"),
        ('#server = "node1"', "server = {}", "apps.shop.nodes.node1.server"),
    ],
)
def test_a_name_that_haproxy_does_not_know_is_refused(
    line: str, written: str, key: str, name: str
) -> None:
    if not name and "server" in key:
        return
    said = refusal(changed(line, written.format(literal(name))))
    assert said.startswith(f"{key}: {name!a} is not a name in HAProxy: it has only ")


@pytest.mark.parametrize("name", ["shop", "be_shop-1.example:443", "A", "0"])
def test_every_name_that_haproxy_knows_is_accepted(name: str) -> None:
    text = changed('backend = "shop"', f'backend = "{name}"')
    assert parse(text, Settings, "x").fleets["shop"].haproxy.backends == (name,)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ext::sh -c reboot", "makes git run a helper"),
        ("fd::17", "makes git run a helper"),
        ("-oProxyCommand=reboot", "can't begin with '-'"),
        ("--upload-pack=reboot", "can't begin with '-'"),
        ("ssh://-oProxyCommand=reboot/x", "can't begin with '-'"),
        ("ssh://git@-oProxyCommand=reboot/x", "can't begin with '-'"),
        ("git@-x:path", "can't begin with '-'"),
        ("/srv/a\nb", "has a control character"),
        ("/srv/a\x1b[2J", "has a control character"),
        (" /srv/a", "or a blank at an end"),
        ("gopher://host/x", "begins with 'gopher://'; use a path"),
        ("", "at least 1 character"),
    ],
)
def test_a_repository_that_would_be_run_as_a_command_is_refused(url: str, words: str) -> None:
    said = refusal(example() + BUILD.replace('"/srv/x.git"', literal(url)))
    assert said.startswith("apps.shop.build.repository: ")
    assert words in said


@pytest.mark.parametrize(
    "url",
    [
        *(
            "/srv/git/shop.git",
            "../shop",
            "file:///srv/a b",
            "https://git.example.com:8443/a/-b.git",
        ),
        *("ssh://git@[2001:db8::1]:22/x", "git@host:a/b.git", "host:x", "git://host/x"),
        *("https://ada:pass-word@host/x", "git+ssh://host/x"),
    ],
)
def test_a_path_or_an_url_of_a_repository_is_accepted(url: str) -> None:
    text = example() + BUILD.replace("/srv/x.git", url)
    found = parse(text, Settings, "x").fleets["shop"].build
    assert found is not None
    assert found.repository == url


@pytest.mark.parametrize(
    "branch", ["-x", "a b", "a:b", "a..b", "a*", "a\nb", "/a", "a~1", "x.lock"]
)
def test_a_branch_that_git_does_not_know_is_refused(branch: str) -> None:
    said = refusal(f"{example()}{BUILD}branch = {literal(branch)}\n")
    assert said.startswith("apps.shop.build.branch: ")


def test_branches_of_mercurial_may_have_blanks() -> None:
    text = f'{example()}{BUILD}vcs = "hg"\nbranch = "release 1.4"\n'
    found = parse(text, Settings, "x").fleets["shop"].build
    assert found is not None
    assert found.on_branch == "release 1.4"


@pytest.mark.parametrize("name", ["a b", "a\nb", "#", "a/b", "+", "%u", "a\x00"])
@pytest.mark.parametrize("key", ["username", "prefix"])
def test_what_mosquitto_would_read_otherwise_is_refused(key: str, name: str) -> None:
    text = re.sub(rf'(?m)^#{key} = ".*"', lambda _: f"{key} = {literal(name)}", example(), count=1)
    assert refusal(text).startswith(f"broker.{key}: ")


@pytest.mark.parametrize("name", ["a b", "a\nb", "#", "a/b", "+", "%u", "A"])
def test_a_box_has_an_id(name: str) -> None:
    assert "boxes" in refusal(changed("[boxes.office]", f"[boxes.{literal(name)}]"))


@pytest.mark.parametrize("server", ["a;b", "a b", "a\nset server x/y state maint", "", "a/b"])
async def test_a_name_that_haproxy_answers_is_checked_before_it_is_sent(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_address: str, text: str, _deadline_s: float = 1.0) -> None:
        raise AssertionError(text)

    monkeypatch.setattr(runtime, "set_command", send)
    one = Backend("/none", "shop")
    for command in (one.set_state(server, Admin.MAINT), one.cut(server)):
        with pytest.raises(HaproxyError, match="is not the name of a server in HAProxy"):
            await command
