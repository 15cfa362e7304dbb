"""What a bench ran on: the machine in general words, and the versions of what was measured."""

import os
import platform
import re
import subprocess
import zipfile

from bigred_broker.program import find_program
from bigred_server.tomcat.installed import tomcat_home
from bigred_server.tomcat.instance import find_java

_DEADLINE_S = 20.0
_TOMCAT = "org/apache/catalina/util/ServerInfo.properties"


def machine() -> dict[str, str]:
    """Return the machine and the versions. Raises ProgramError if a program is missing."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": _version(platform.release()),
        "HAProxy": _version(_said(find_program("haproxy", "haproxy"), "-v")),
        "Tomcat": _tomcat(),
        "Java": _version(_said(str(find_java()), "--version")),
        "Python": platform.python_version(),
    }


def described(found: dict[str, str]) -> str:
    """Return the machine as a line."""
    cores, memory, *others = found.items()
    versions = ", ".join(f"{name} {version}" for name, version in others)
    return f"{cores[1]} cores, {memory[1]}, {versions}"


def _said(program: str, option: str) -> str:
    done = subprocess.run(
        [program, option], capture_output=True, text=True, timeout=_DEADLINE_S, check=True
    )
    return done.stdout


def _tomcat() -> str:
    with zipfile.ZipFile(tomcat_home() / "lib" / "catalina.jar") as jar:
        return _version(jar.read(_TOMCAT).decode().partition("server.info=")[2])


def _version(text: str) -> str:
    """Return the first version in a text. Pure."""
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group() if found else "unknown"
