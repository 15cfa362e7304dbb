"""The page about an app without a marker: its commands make a WAR that its settings recognise."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bigred_server.artifacts import intake, war_check
from bigred_server.errors import ReleaseError
from bigred_server.model.war_limits import WarLimits
from bigred_server.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "app-without-marker.md").read_text(encoding="utf-8")
EXAMPLES = "/usr/share/tomcat10-examples/examples"


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_war_of_the_page_is_recognised_by_the_settings_of_the_page(tmp_path: Path) -> None:
    app = tmp_path / "installed" / "examples"
    (app / "WEB-INF").mkdir(parents=True)
    (app / "index.html").write_text("an app")
    steps = block("sh").replace(EXAMPLES, str(app)).splitlines()
    script = "\n".join(line for line in steps if not line.startswith("apt-get "))
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, check=True, timeout=60)
    made = tmp_path / "examples-1.0.war"
    war_check.check(made, WarLimits())
    written = tomllib.loads(block("toml"))
    given = {"server": {"state": "/var/lib/bigred"}, **written}
    marker = Settings.model_validate(given).fleets["examples"].marker
    assert marker.path == "/examples/"
    assert intake.expected_marker(marker, "1.0", "", "", made) == "1.0"
    with pytest.raises(ReleaseError, match=r"is '1\.0', not '1\.1'"):
        intake.expected_marker(marker, "1.1", "", "", made)
