"""Ansible with the haproxy module of community.general, in a folder of its own.

Installed from PyPI into the user's cache folder, never into the project's environment: the program
by pip into a venv, the collection from the wheel of the package `ansible`, which is large.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_broker.program import ProgramError
from bigred_server.demo.config import APP
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.tomcat.instance import TomcatInstance

_PLAYBOOK = Path(__file__).parents[1] / "bench" / "rolling_update.yml"
_COLLECTION = "ansible_collections/community/general/"
_INSTALL_S = 300.0
_RUN_S = 600.0


@dataclass(frozen=True)
class Ansible:
    """An installed Ansible."""

    folder: Path

    @property
    def versions(self) -> str:
        """Return the versions of Ansible and of the collection."""
        first = _run([str(self._program), "--version"], 60.0, self._environment).splitlines()[0]
        manifest = json.loads((self.folder / _COLLECTION / "MANIFEST.json").read_text())
        core = re.findall(r"\d[\d.]*", first)
        return f"ansible-core {core[0]}, community.general {manifest['collection_info']['version']}"

    def roll(
        self, haproxy: HaproxyInstance, nodes: Mapping[str, TomcatInstance], war: Path, version: str
    ) -> None:
        """Run the playbook on all nodes. Raises ProgramError if a task fails."""
        with tempfile.TemporaryDirectory(prefix="bigred-ansible-") as name:
            inventory = Path(name) / "nodes.json"
            hosts = inventory_of(haproxy, nodes, war, version, self._python)
            inventory.write_text(json.dumps(hosts))
            command = [str(self._program), "--inventory", str(inventory), str(_PLAYBOOK)]
            _run(command, _RUN_S, self._environment)

    @property
    def _python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def _program(self) -> Path:
        return self.folder / "venv" / "bin" / "ansible-playbook"

    @property
    def _environment(self) -> dict[str, str]:
        # The project's own modules are not for Ansible's Python.
        kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        return kept | {
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
            "LC_ALL": "C.UTF-8",
        }


def inventory_of(
    haproxy: HaproxyInstance,
    nodes: Mapping[str, TomcatInstance],
    war: Path,
    version: str,
    python: Path,
) -> dict[str, object]:
    """Return the inventory with all that the playbook needs."""
    hosts = {
        name: {
            "stop": tomcat.stop_command,
            "start": tomcat.start_command,
            "target": str(tomcat.webapps / f"{APP}.war"),
            "health": f"http://127.0.0.1:{tomcat.port}/{APP}/health",
        }
        for name, tomcat in nodes.items()
    }
    everywhere = {
        "ansible_python_interpreter": str(python),
        "backend": APP,
        "socket": str(haproxy.admin_socket),
        "war": str(war),
        "version": version,
    }
    return {"nodes": {"hosts": hosts, "vars": everywhere}}


@functools.cache
def installed() -> Ansible:
    """Install Ansible, unless an earlier call did. Raises ProgramError with pip's last line."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "bigred" / "ansible"
    complete = folder / "complete"
    stamp = f"{folder} {sys.version}"
    if not complete.exists() or complete.read_text() != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        # Empty, so that it reads neither this machine's nor the current folder's.
        (folder / "ansible.cfg").touch()
        _install(folder)
        complete.write_text(stamp)
    return Ansible(folder)


def _install(folder: Path) -> None:
    venv, wheels = folder / "venv", folder / "wheels"
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([sys.executable, "-m", "venv", str(venv)], _INSTALL_S)
    _run([*pip, "install", "ansible-core"], _INSTALL_S)
    _run([*pip, "download", "--no-deps", "--dest", str(wheels), "ansible"], _INSTALL_S)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(_COLLECTION)]
            archive.extractall(folder, names)
    shutil.rmtree(wheels)


def _run(
    command: Sequence[str], deadline_s: float, environment: Mapping[str, str] | None = None
) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramError(f"{' '.join(command[:4])}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise ProgramError(f"{' '.join(command[:4])} failed: {last}")
    return done.stdout
