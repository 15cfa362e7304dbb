"""Settings of an app that contradict each other."""

import pytest
from pydantic import ValidationError

from bigred_server.settings.app import AppSettings

_MANAGER: dict[str, object] = {"user": "bigred", "password_file": "/etc/bigred/manager.password"}
_FAR: dict[str, object] = {"url": "http://127.0.0.1:8080", "reach": "manager", "manager": _MANAGER}
_NEAR: dict[str, object] = {
    "url": "http://127.0.0.1:8080",
    "war": "/srv/tomcat/webapps/shop.war",
    "manager": _MANAGER,
}


def _app(read: str, strategy: str, node: dict[str, object]) -> AppSettings:
    return AppSettings.model_validate(
        {
            "strategy": strategy,
            "sessions": "parallel" if strategy == "parallel" else "move",
            "haproxy": {"socket": "/run/haproxy/admin.sock", "backend": "shop"},
            "marker": {"path": "/shop/health", "read": read},
            "nodes": {"node1": node},
        }
    )


def test_a_manifest_cannot_be_read_if_only_http_reaches_the_node() -> None:
    with pytest.raises(ValidationError, match=r"nodes\.node1: marker\.read = 'manifest' needs"):
        _app("manifest", "redeploy", _FAR)


def test_a_manifest_does_not_distinguish_parallel_versions() -> None:
    with pytest.raises(ValidationError, match="can't distinguish the versions"):
        _app("manifest", "parallel", _NEAR)


@pytest.mark.parametrize(
    ("read", "strategy", "node"),
    [
        ("manifest", "redeploy", _NEAR),
        ("header", "redeploy", _FAR),
        ("body", "parallel", _FAR),
    ],
)
def test_a_marker_that_can_be_read_is_accepted(
    read: str, strategy: str, node: dict[str, object]
) -> None:
    assert _app(read, strategy, node).marker.read == read


@pytest.mark.parametrize(
    ("batch", "min_healthy", "nodes", "taken"),
    [
        # As many as may be missing, which is one of up to four and a quarter of more.
        (None, None, 2, 1),
        (None, None, 4, 1),
        (None, None, 5, 1),
        (None, None, 8, 2),
        (None, None, 40, 10),
        (None, 5, 8, 3),
        (None, "50%", 9, 4),
        # A single node can't do without; of several, one always keeps serving.
        (None, 0, 1, 1),
        (None, 0, 2, 1),
        (None, 0, 8, 7),
        # What somebody wrote holds.
        (1, None, 8, 1),
        (5, None, 8, 5),
        ("25%", None, 7, 1),
        ("50%", None, 7, 3),
        ("1%", None, 7, 1),
    ],
)
def test_the_default_batch_is_what_min_healthy_allows(
    batch: int | str | None, min_healthy: int | str | None, nodes: int, taken: int
) -> None:
    app = AppSettings.model_validate(
        {
            "strategy": "redeploy",
            "batch": batch,
            "min_healthy": min_healthy,
            "haproxy": {"socket": "/run/haproxy/admin.sock", "backend": "shop"},
            "marker": {"path": "/shop/health"},
            "nodes": {
                f"n{number}": {**_FAR, "url": f"http://h{number}:8080"} for number in range(nodes)
            },
        }
    )
    assert app.policy().batch == taken
