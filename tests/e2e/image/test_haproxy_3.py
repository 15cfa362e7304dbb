"""HAProxy 3.0, as Debian 13 has it, in front of the same sites as this machine's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.debian_root import command, make_root

pytestmark = pytest.mark.timeout(1200)

ROOT = Path(__file__).parents[3]
TESTS = ("test_haproxy_corpus.py", "test_haproxy_backends.py", "test_server_survey.py")
RUN_S = 600.0


def test_what_holds_for_this_machines_haproxy_holds_for_version_3(tmp_path: Path) -> None:
    root = make_root(ROOT / "build" / "haproxy-3", "haproxy")
    haproxy = command(root, "/usr/sbin/haproxy", tmp_path)
    version = subprocess.run(
        [haproxy, "-v"], capture_output=True, text=True, timeout=20, check=True
    )
    assert "version 3.0" in version.stdout
    files = [str(ROOT / "tests" / "integration" / name) for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
