"""A client that floods the broker keeps no other box from being armed."""

from collections.abc import Iterator

import pytest
from tests.support.flooder import Kind
from tests.support.floods import FloodSite, flood_site

TRIES = 15
ARMED_S = 1.0
GROWN_KIB = 8192
LOG_LINES = 100

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FloodSite]:
    with flood_site(tmp_path_factory.mktemp("flood")) as running:
        yield running


def test_a_server_that_stood_still_while_a_flood_began_soon_arms_again(site: FloodSite) -> None:
    assert site.arm_after_standstill(Kind.VALID, 1, stopped_s=3.0) < 2 * ARMED_S


@pytest.mark.parametrize(
    ("kind", "qos"),
    [(Kind.GARBAGE, 0), (Kind.VALID, 1), (Kind.UNKNOWN, 1), (Kind.INFO, 0), (Kind.FORGED, 1)],
)
def test_a_flood_keeps_no_other_box_waiting(site: FloodSite, kind: Kind, qos: int) -> None:
    flood = site.flooded(kind, qos, TRIES)
    assert max(flood.armed_s) < ARMED_S
    assert max(flood.grown_kib.values()) < GROWN_KIB
    assert flood.lines < LOG_LINES


def test_a_box_that_floods_is_disconnected_and_reported(site: FloodSite) -> None:
    site.flooded(Kind.VALID, 0, tries=1)
    log = (site.folder / "server.log").read_text()
    assert "too many messages; ignoring the source for a minute" in log
    assert "disconnected a box that sends too many messages" in log
