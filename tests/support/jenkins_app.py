"""The configuration of a server whose only app is deployed by a Jenkins: it needs no node."""

from collections.abc import Sequence
from pathlib import Path

_CONFIG = """
[server]
state = "{folder}/state"
[broker]
port = {port}
{boxes}
[apps.site]
driver = "jenkins"
countdown_s = 0.0
[apps.site.jenkins]
url = "{url}"
job = "deploy-site"
user = "bigred"
token_file = "{folder}/token"
"""


def configured(folder: Path, port: int, url: str, boxes: Sequence[str] = ("office",)) -> Path:
    """Write the configuration and its token into a folder; return the file.

    `port`: of the broker. `url`: of the Jenkins. `boxes`: which may fire the app.
    """
    token, config = folder / "token", folder / "bigred.toml"
    token.write_text("11aa22bb")
    token.chmod(0o600)
    sections = "\n".join(f'[boxes.{box}]\napp = "site"' for box in boxes)
    config.write_text(_CONFIG.format(folder=folder, port=port, url=url, boxes=sections))
    return config
