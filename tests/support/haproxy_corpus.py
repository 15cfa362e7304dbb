"""Small haproxy.cfg files of many kinds, each with what Bigred must make of it.

A line `#: KEY VALUE` at the top of a file says what is expected: `bad`, `warn` and `unknown` name
the rules of the doctor that are not fulfilled; every other rule must be. `path`, `context` and
`url` are what `init` must write, and `left_out` the servers that it takes for no nodes. `env` is a
variable of HAProxy's environment, `backend` the app's. `down`: no web server can pass the check.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bigred_server.doctor import haproxy_file
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.rollout.core.policy import Sessions

FOLDER = Path(__file__).parent / "haproxy_cfgs"
_EXPECTED = re.compile(r"^#: (\w+) (.+)$", re.MULTILINE)
# What needs root, or another machine than the tests have.
_DROPPED = re.compile(r"^ +(chroot|user|group|daemon)\b.*\n", re.MULTILINE)
_BIND = re.compile(r"^( +bind) .*$", re.MULTILINE)


@dataclass(frozen=True)
class CorpusFile:
    """One file of the corpus."""

    name: str

    @cached_property
    def text(self) -> str:
        """Its content."""
        return (FOLDER / f"{self.name}.cfg").read_text()

    def expected(self, key: str) -> list[str]:
        """Return the values of a key, in order."""
        return [value for found, value in _EXPECTED.findall(self.text) if found == key]

    @property
    def backend(self) -> str:
        """The backend of the app."""
        return "".join(self.expected("backend")) or "shop"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that HAProxy has."""
        pairs = [pair.partition("=") for pair in self.expected("env")]
        return {name: value for name, _, value in pairs}

    @property
    def faults(self) -> dict[str, Severity]:
        """The rules that are not fulfilled."""
        levels = (Severity.BAD, Severity.WARN, Severity.UNKNOWN)
        return {code: level for level in levels for code in self.expected(level)}

    def runnable(self, folder: Path) -> str:
        """Return the file with its sockets in a folder, so that it runs anywhere."""
        text = _DROPPED.sub("", self.text).replace("/run/haproxy/admin.sock", f"{folder}/a.sock")
        numbers = iter(range(100))
        return _BIND.sub(lambda found: f"{found[1]} unix@{folder}/{next(numbers)}.sock", text)


CORPUS = [CorpusFile(path.stem) for path in sorted(FOLDER.glob("*.cfg"))]


def judged(proxy: Proxy | None, context: str | None = None, mode: str = "") -> list[Finding]:
    """Return what the doctor finds in a backend of an app with the usual sessions."""
    return haproxy_file.findings(
        "h", proxy, "unread", Sessions.MOVE, shared=False, context=context, mode=mode
    )


def faults(found: list[Finding]) -> dict[str, Severity]:
    """Return the findings that are not OK."""
    return {one.code: one.level for one in found if one.level is not Severity.OK}
