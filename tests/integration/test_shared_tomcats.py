"""Users who come to the same Tomcats by another backend of HAProxy; and nodes set by hand."""

from collections.abc import Iterator

import pytest
from tests.support.checked_site import CheckedSite, checked_site

from bigred_broker.program import wait_until

BOTH = 'backend = ["shop", "live"]'
SHARED = "the backend live (live-n1, live-n2) has the same Tomcats"


@pytest.fixture
def site() -> Iterator[CheckedSite]:
    with checked_site((("live", "/live"),)) as made:
        made.configure()
        for one in made.webs:
            (made.folder / one.name / "webapps" / "shop.war").write_bytes(b"a release")
        wait_until(lambda: made.ask("show stat").count("L7OK") == 4, 10, "all checks have passed")
        yield made


def declare(site: CheckedSite, line: str) -> None:
    text = site.config.read_text()
    assert BOTH in text
    site.config.write_text(text.replace(BOTH, line))


def found(site: CheckedSite, code: str) -> list[tuple[str, str]]:
    return [(one["level"], one["text"]) for one in site.findings()[1] if one["code"] == code]


def test_init_proposes_every_backend_with_the_same_tomcats(site: CheckedSite) -> None:
    lines = site.config.read_text().splitlines()
    comment = lines[lines.index(BOTH) - 1]
    assert comment.startswith("# EDIT: these backends have the same Tomcats. Keep those whose")


def test_a_backend_that_is_not_declared_is_bad_and_stops_every_deployment(
    site: CheckedSite,
) -> None:
    declare(site, 'backend = "shop"')
    code, _ = site.findings()
    assert code == 1
    [(level, text)] = found(site, "haproxy-sharing")
    assert (level, text.startswith(SHARED)) == ("bad", True)
    [(level, text)] = found(site, "deployment")
    assert level == "bad"
    assert text.startswith(f"no deployment could begin now: {SHARED}")


@pytest.mark.parametrize("line", [BOTH, 'backend = "shop"\nunmanaged = ["live"]'])
def test_a_declared_backend_stops_nothing(site: CheckedSite, line: str) -> None:
    declare(site, line)
    code, findings = site.findings()
    assert [one for one in findings if one["level"] == "bad"] == []
    assert code == 0
    assert found(site, "deployment") == [("ok", "a deployment could begin now")]


def test_a_backend_is_named_once(site: CheckedSite) -> None:
    declare(site, f'{BOTH}\nunmanaged = ["live"]')
    done = site.bigred("doctor", "--config", str(site.config))
    assert "the backend 'live' is named twice in `backend` and `unmanaged`" in done.stderr


def test_a_node_is_set_by_hand_in_every_backend(site: CheckedSite) -> None:
    config = ("--config", str(site.config))
    done = site.bigred("node", "maint", "n1", *config)
    assert (done.returncode, done.stdout) == (0, "n1 is in MAINT: MAINT\n"), done.stderr
    assert site.ask("show servers state").count(" 1 ") >= 2
    assert site.ask("show stat").count(",MAINT,") == 2
    refused = site.bigred("node", "drain", "n2", *config)
    assert refused.returncode == 1
    assert refused.stderr == (
        "bigred: without n2, too few nodes would serve (min_healthy); add --force to do it anyway\n"
    )
    status = site.bigred("status", *config).stdout
    assert "n1: it is in MAINT" in " ".join(status.split())
    assert "put it back with: bigred node ready n1" in " ".join(status.split())
    [(level, text)] = found(site, "deployment")
    assert level == "bad"
    assert "1 of 2 nodes are up" in text
    assert site.bigred("node", "ready", "n1", *config).returncode == 0
    assert ",MAINT," not in site.ask("show stat")
    unknown = site.bigred("node", "ready", "n9", *config)
    assert unknown.stderr == "bigred: no node 'n9' of shop; available: n1, n2\n"


def test_ready_waits_for_a_passed_check(site: CheckedSite) -> None:
    config = ("--config", str(site.config))
    assert site.bigred("node", "maint", "n1", *config).returncode == 0
    site.webs[0].health = 503
    done = site.bigred("node", "ready", "n1", *config)
    assert done.returncode == 1
    assert "shop/n1 has not passed its check in 10 s" in done.stderr
    assert "it stays in DRAIN" in done.stderr
