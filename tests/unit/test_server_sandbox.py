"""The sandbox's command line, and what it hides: pure values, compared without running it."""

from pathlib import Path

import pytest

from bigred_broker.config import ConfigError, parse
from bigred_server.pipeline import sandbox
from bigred_server.pipeline.hiding import hidden_from_builds, workspaces
from bigred_server.pipeline.sandbox import BuildFolders, Hidden, as_root, bwrap
from bigred_server.settings import Settings, example

STATE = Path("/var/lib/bigred")
WORK = STATE / "builds" / "shop" / "b-1"
SEEN = BuildFolders((WORK,), (WORK / "source",), STATE / "builds" / "shop" / "home", WORK / "tmp")
HIDDEN = Hidden((STATE,), (Path("/etc/bigred/secret"),), (Path("/home/ada"), STATE))


def mounts(argv: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return how each place is mounted, in order."""
    takes = {"--tmpfs": 1, "--dir": 1, "--bind": 2, "--ro-bind": 2, "--ro-bind-try": 2}
    found = [(word, argv[at + takes[word]]) for at, word in enumerate(argv) if word in takes]
    return [(how.removeprefix("--"), place) for how, place in found]


def test_what_is_hidden_comes_before_what_is_seen_in_it() -> None:
    found = mounts(bwrap("/usr/bin/bwrap", HIDDEN, SEEN, network=False))
    assert found == [
        ("ro-bind", "/"),
        ("ro-bind", "/etc/bigred/secret"),
        ("bind", "/home/ada"),
        ("tmpfs", "/run"),
        ("bind", "/tmp"),  # noqa: S108
        # It is a home as well: the build's own home is there, and nothing of the state.
        ("bind", "/var/lib/bigred"),
        ("dir", "/var/lib/bigred/builds"),
        ("dir", "/var/lib/bigred/builds/shop"),
        ("ro-bind", "/var/lib/bigred/builds/shop/b-1"),
        ("bind", "/var/lib/bigred/builds/shop/b-1/source"),
        ("bind", "/var/lib/bigred/builds/shop/b-1/tmp"),
        ("bind", "/var/lib/bigred/builds/shop/home"),
        ("bind", "/var/tmp"),  # noqa: S108
    ]


@pytest.mark.parametrize("network", [False, True])
def test_there_is_network_only_if_it_is_asked_for(network: bool) -> None:
    argv = bwrap("bwrap", HIDDEN, SEEN, network=network)
    assert ("--unshare-net" in argv) is not network
    assert (("ro-bind-try", "/run/systemd/resolve") in mounts(argv)) is network


def test_root_keeps_only_what_it_needs_to_become_the_user() -> None:
    assert as_root(("bwrap",), ()) == ("bwrap", "--cap-drop", "ALL", "--")
    argv = as_root(("bwrap",), ("setpriv", "--reuid=1"))
    kept = [argv[at + 1] for at, word in enumerate(argv) if word == "--cap-add"]
    assert kept == ["CAP_SETUID", "CAP_SETGID"]
    assert argv[-3:] == ("--", "setpriv", "--reuid=1")


def settings_of(text: str) -> Settings:
    return parse(text, Settings, "test")


def test_every_secret_of_the_configuration_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("manager.password", "id_ed25519", "admin.sock", "bigred.toml")
    for name in names:
        (tmp_path / name).touch()
    text = (
        example()
        .replace("/etc/bigred/manager.password", f"{tmp_path}/manager.password")
        .replace('#key = "/etc/bigred/id_ed25519"', f'key = "{tmp_path}/id_ed25519"')
        .replace("/run/haproxy/admin.sock", f"{tmp_path}/admin.sock")
    )
    config, places = tmp_path / "bigred.toml", {tmp_path / name for name in names}
    # What each build has of its own hides what is there; pytest's folder usually is.
    monkeypatch.setattr(sandbox, "OWN", ())
    hidden = hidden_from_builds(settings_of(text), None, config)
    assert {file for file in hidden.files if file.parent == tmp_path} == places
    assert STATE in hidden.folders
    monkeypatch.setattr(sandbox, "OWN", (tmp_path,))
    hidden = hidden_from_builds(settings_of(text), None, config)
    assert not [file for file in hidden.files if file.parent == tmp_path]


def test_builds_of_another_user_run_outside_the_state() -> None:
    def server(more: str) -> Settings:
        old = 'state = "/var/lib/bigred"\n'
        return settings_of(example().replace(old, old + more))

    assert workspaces(server("").server) == STATE / "builds"
    assert workspaces(server('build_user = "ada"\n').server) == Path("/var/lib/bigred-builds")
    assert workspaces(server('workspaces = "/srv/b"\n').server) == Path("/srv/b")
    with pytest.raises(ConfigError, match=r"is inside `state`, which ada can't enter"):
        server('build_user = "ada"\nworkspaces = "/var/lib/bigred/b"\n')
