"""The configuration to start from: only what one site must say."""

from bigred_server.settings import toml
from bigred_server.settings.site import BOX, SiteSurvey

_NEXT = (
    "# Check what is marked EDIT. `bigred config` explains every key; "
    "`bigred doctor` checks the site."
)
_SERVER = "# The folder for the database and the releases."
_BOX = "# A box that may deploy this app. Its name is the one in the box's own configuration."
_HAPROXY = '# HAProxy\'s Runtime API, which needs "level admin", and the backend of the app.'


def starter(site: SiteSurvey) -> str:
    """Write the configuration of a site; it can be loaded at once."""
    comments = {
        ("server",): _SERVER,
        ("boxes", BOX): _BOX,
        ("apps", site.app, "haproxy"): _HAPROXY,
        **{path: f"# EDIT: {sentence}" for path, sentence in site.edits().items()},
    }
    blocks = [[f"# Bigred's configuration for {toml.origin(site)}.", _NEXT]]
    for path, values in site.tables().items():
        lines = [comments.get(path), toml.header(path)]
        for key, value in values.items():
            lines += [comments.get((*path, key)), toml.line(key, value)]
        if path[-1] != "ssh":  # what belongs to a node stands right below it
            blocks.append([])
        blocks[-1] += [line for line in lines if line]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"
