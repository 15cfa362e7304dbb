"""`bigred init` and `bigred doctor` with a real HAProxy: what they write and find."""

from collections.abc import Iterator

import pytest
from tests.support.checked_site import CheckedSite, checked_site

from bigred_broker.program import find_program, running, wait_until
from bigred_server.settings import load


@pytest.fixture
def site() -> Iterator[CheckedSite]:
    with checked_site() as made:
        yield made


def bad(findings: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["code"], one["text"]) for one in findings if one["level"] == "bad"]


def levels(findings: list[dict[str, str]], code: str) -> set[str]:
    return {one["level"] for one in findings if one["code"] == code}


# --- init ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [(), ("--full",)])
def test_a_configuration_is_filled_in_from_haproxy(
    site: CheckedSite, form: tuple[str, ...]
) -> None:
    done = site.init("--backend", "shop", *form)
    assert done.returncode == 0, done.stderr
    assert "Edit the lines marked EDIT" in done.stdout
    app = load(site.config).fleets["shop"]
    assert [node.url for node in app.nodes.values()] == [
        f"http://127.0.0.1:{one.port}" for one in site.webs
    ]
    assert list(app.nodes) == ["n1", "n2"]
    assert app.haproxy.sockets == (site.socket,)
    assert app.marker.path == "/health"  # from HAProxy's own configuration file


def test_without_a_backend_the_existing_ones_are_listed(site: CheckedSite) -> None:
    done = site.init()
    assert done.returncode == 0
    assert "shop" in done.stdout
    assert "n1, n2" in done.stdout
    assert not site.config.exists()


def test_a_missing_backend_is_named_with_the_existing_ones(site: CheckedSite) -> None:
    done = site.init("--backend", "blog")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"bigred: HAProxy at {site.socket} has no backend 'blog'; it has: shop"
    )
    assert not site.config.exists()


def test_an_existing_file_is_never_touched(site: CheckedSite) -> None:
    site.config.write_text("mine")
    done = site.init("--backend", "shop")
    assert done.returncode == 1
    assert "already exists; it was not changed" in done.stderr
    assert site.config.read_text() == "mine"


def test_an_absent_haproxy_is_reported_in_a_sentence(site: CheckedSite) -> None:
    done = site.bigred("init", str(site.config), "--haproxy", "/no.sock", "--backend", "shop")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "can't be reached" in done.stderr
    done = site.bigred("init", str(site.config), "--backend", "shop")
    assert "--backend needs --haproxy" in done.stderr
    assert not site.config.exists()


# --- doctor --------------------------------------------------------------------------------------


def test_on_our_own_recipe_the_doctor_finds_nothing_bad(site: CheckedSite) -> None:
    site.configure()
    code, findings = site.findings()
    assert bad(findings) == []
    assert code == 0
    found = {(one["code"], one["level"]) for one in findings if one["level"] != "ok"}
    # No log and no Manager, as the demo's defaults leave it; and nothing was written.
    assert found == {
        ("tomcat-servlets", "warn"),
        ("haproxy-log", "warn"),
        ("tomcat-vitals", "warn"),
    }
    assert not (site.folder / "state").exists()


def test_every_planted_problem_is_found(site: CheckedSite) -> None:
    site.configure()
    site.webs[0].health = 503
    wait_until(lambda: "DOWN" in site.ask("show stat"), 10, "the check has seen it")
    site.ask("set server shop/n2 state maint")
    site.ask("disable health shop/n1")
    code, findings = site.findings("--app", "shop")
    assert code == 1
    assert [text for code, text in bad(findings) if code == "app-answer"] == [
        "/health answers 503, not 200"
    ]
    assert levels(findings, "haproxy-state") == {"warn"}
    assert levels(findings, "haproxy-hushed") == {"warn"}


def test_a_second_haproxy_on_the_port_is_found(site: CheckedSite) -> None:
    site.configure()
    assert levels(site.findings()[1], "haproxy-port") == {"ok"}
    file = site.folder / "second.cfg"
    file.write_text(
        "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        f"frontend f\n bind 127.0.0.1:{site.haproxy.port}\n"
        f"global\n stats socket {site.folder}/second.sock\n"
    )
    argv = [find_program("haproxy", "haproxy"), "-db", "-f", str(file)]
    ready = (site.folder / "second.sock").exists
    with running("the second HAProxy", argv, site.folder / "second.log", ready):
        found = site.findings()[1]
    assert levels(found, "haproxy-port") == {"bad"}
    assert [text for code, text in bad(found) if "unrelated processes share port" in text]


def test_an_absent_neighbour_is_bad_and_an_unreadable_file_is_unknown(site: CheckedSite) -> None:
    site.configure()
    text = site.config.read_text()
    site.config.write_text(text.replace(f'"{site.socket}"', f'["{site.socket}", "/no.sock"]'))
    code, findings = site.findings()
    assert code == 1
    assert [one for one in bad(findings) if "/no.sock can't be reached" in one[1]]
    (site.folder / "n1" / "conf" / "server.xml").unlink()
    _, findings = site.findings()
    assert "unknown" in levels(findings, "tomcat-bind")


def test_into_a_pipe_each_finding_is_a_line_with_its_fix(site: CheckedSite) -> None:
    site.configure()
    done = site.bigred("doctor", "--config", str(site.config))
    *lines, summary = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["warn"] * 5
    fixes = ['set: <Host failCtxIfServletStartFails="true">'] * 2 + ['log-format "bigred1 ']
    fixes += ["role manager-jmx"] * 2
    assert all(any(fix in line for line in lines) for fix in fixes)
    assert "checks passed" in summary
    assert "\x1b" not in done.stdout
