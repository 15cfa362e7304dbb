"""Generated requests to a running HTTP API, whose answers must be as its description says.

schemathesis makes them from the description: right and wrong values, missing ones, other methods.
"""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.api_site import WEBHOOK_SECRET, ApiSite, bearer

CALLERS = (None, "nobody", "viewer", "operator", "admin")
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
# Otherwise nearly every request would be about an app or a release that does not exist.
_KNOWN = """
[parameters]
"path.app" = "shop"
"path.deployment" = "d-1"
"path.version" = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
"path.forge" = "github"
"""
_GENERATED = re.compile(r"([\d,]+) generated, [\d,]+ passed")


def site_of(folder: Path) -> ApiSite:
    """Return a site with releases, a deployment, and webhooks."""
    site = ApiSite(folder)
    secret = folder / "secret"
    secret.write_text(WEBHOOK_SECRET)
    site.write(
        app=f"""
[apps.shop.build]
repository = "{folder}/none"
command = ["false"]
artifact = "shop.war"
webhook_secret_file = "{secret}"
"""
    )
    site.fill()
    return site


def run(
    site: ApiSite,
    caller: str | None,
    examples: int,
    deadline_s: float,
    *,
    known: bool = True,
    systematic: bool = True,
) -> int:
    """Send requests as this caller, and return how many; raise AssertionError with what was wrong.

    `examples`: at random for each route. `known`: about what exists. `systematic`: also try each
    kind of wrong value, and the methods that a path does not have.
    """
    phases = "coverage,fuzzing" if systematic else "fuzzing"
    folder = site.folder / f"cases-{caller}-{known}"
    folder.mkdir()
    with site.http("viewer") as http:
        (folder / "openapi.json").write_text(http.get("/api/v1/openapi.json").text)
    (folder / "schemathesis.toml").write_text(_KNOWN if known else "")
    header = ["--header", f"Authorization: {bearer(caller)['Authorization']}"] if caller else []
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", "openapi.json",
            "--url", f"http://127.0.0.1:{site.port}", *header,
            "--phases", phases, "--max-examples", str(examples),
            "--checks", ",".join(_CHECKS), "--generation-deterministic", "--no-shrink",
            "--continue-on-failure", "--warnings", "off", "--no-color",
        ],
        cwd=folder, capture_output=True, text=True, timeout=deadline_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = _GENERATED.search(done.stdout)
    assert found is not None, done.stdout
    return int(found[1].replace(",", ""))
