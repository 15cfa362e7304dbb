"""A site whose app, the sample shop, is built from a repository that submits every push."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support import tokens
from tests.support.repositories import Repository
from tests.support.rig import Rig, rig

from bigred_broker.program import free_port
from bigred_server.demo import sample
from bigred_server.demo.options import DemoOptions
from bigred_server.model.api_token import Role
from bigred_server.settings import load

TOKEN = "secret-of-the-hook"  # noqa: S105
_SHOP = Path(sample.__file__).parent / "shop"


def shop() -> dict[str, str]:
    """Return the source of the sample shop, with its own build command."""
    return {file.name: file.read_text() for file in _SHOP.iterdir() if file.is_file()}


def api_url(place: Rig) -> str:
    """Return the URL of the HTTP API of such a site."""
    return f"http://{load(place.demo_site.config).api.listen}"


@contextlib.contextmanager
def pushing(
    vcs: str,
    nodes: int,
    deploy: str = "when_ready",
    tests: Mapping[str, Mapping[str, object]] | None = None,
    *,
    compiled: bool = True,
) -> Iterator[tuple[Rig, Repository]]:
    """Set up a site whose app is built from a repository with our hook in it.

    Unless `compiled`, the app is a WAR that no Tomcat can serve, but that is quickly packed.
    """
    with tempfile.TemporaryDirectory(prefix="bigred-push-") as name:
        repository = Repository.made(vcs, Path(name), shop() if compiled else None)
        tables: dict[str, Mapping[str, object]] = {
            "api": {"listen": f"127.0.0.1:{free_port()}"},
            "apps.shop": {"deploy": deploy},
            "apps.shop.build": {
                "repository": str(repository.central),
                "vcs": vcs,
                "command": ("sh", "build.sh"),
                # Where Tomcat and Java are not those of the distribution.
                "inherit": ("CATALINA_HOME", "JAVA_HOME"),
                "artifact": "target/shop.war" if compiled else "app.war",
            },
            **{f"apps.shop.tests.{stage}": commands for stage, commands in (tests or {}).items()},
        }
        with rig(nodes, DemoOptions(more=tables)) as place:  # type: ignore[arg-type]
            tokens.put(
                load(place.demo_site.config).server.state / "bigred.db", {TOKEN: Role.OPERATOR}
            )
            token = Path(name) / "token"
            token.write_text(f"{TOKEN}\n")
            place.bigred(
                "hook", "install", vcs, str(repository.central), "--token-file", str(token)
            )
            yield place, repository
