"""Commands of nodes that fail on request."""

import subprocess
from pathlib import Path

from tests.support.faulty import Faulty


def test_a_command_fails_once_on_request(tmp_path: Path) -> None:
    faulty = Faulty(tmp_path / "faults")
    faulty.create()
    faulty.fail_once("node1", "stop")

    def call(node: str, verb: str) -> int:
        command = [*faulty.prefix, "/bin/echo", f"/s/{node}/tomcat", verb]
        return subprocess.run(command, timeout=10, check=False, capture_output=True).returncode

    assert (call("node2", "stop"), call("node1", "start")) == (0, 0)
    assert (call("node1", "stop"), call("node1", "stop")) == (1, 0)
    faulty.fail_once("node1", "start")
    faulty.clear()
    assert call("node1", "start") == 0
