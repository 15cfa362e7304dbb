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
