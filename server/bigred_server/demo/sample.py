"""The shop, a small sample app: compiled from the Java source in `shop/` and packed as WARs.

Besides the good build, there are three bad ones, each detected by a different part of a
deployment, one that is good but slow to start, and ten that fail only for real users.
"""

import functools
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from bigred_broker.program import ProgramError
from bigred_server.tomcat.installed import is_before_jakarta, servlet_api, tomcat_home
from bigred_server.tomcat.instance import find_java

_SOURCE = Path(__file__).parent / "shop"
# The compiler is done before the JVM's second one would pay.
_JVM = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,39}")


class BuildKind(StrEnum):
    """How a build of the shop behaves."""

    GOOD = "good"
    DOES_NOT_START = "does-not-start"  # the app fails to start; Tomcat answers 404
    ANSWERS_500 = "answers-500"  # the app starts, and answers every request with 500
    WRONG_RELEASE = "wrong-release"  # the app claims to be another release
    SLOW_START = "slow-start"  # the app is good, but takes three seconds longer to start
    # These builds fail only for users.
    ERRORS_5 = "errors-5"  # 5 % of requests fail with 500
    ERRORS_20 = "errors-20"
    ERRORS_ON_ORDERS = "errors-on-orders"  # only orders fail, all of them
    ERRORS_FOR_ONE = "errors-for-one"  # all requests of one customer fail
    SLOW_X2 = "slow-x2"  # the basket takes twice as long
    SLOW_TAIL = "slow-tail"  # 5 % of requests take 300 ms more
    LEAKS_MEMORY = "leaks-memory"  # 40 kB per request
    BURNS_CPU = "burns-cpu"  # 12 ms of processor time per request
    LEAKS_THREADS = "leaks-threads"  # one thread per ten requests
    FEWER_ORDERS = "fewer-orders"  # about two in three orders are lost without an error

    @property
    def is_bad(self) -> bool:
        """Whether a deployment rolls this build back even without the judge."""
        return self in (BuildKind.DOES_NOT_START, BuildKind.ANSWERS_500, BuildKind.WRONG_RELEASE)

    @property
    def is_for_the_judge(self) -> bool:
        """Whether only the judge can detect that this build is bad."""
        return not self.is_bad and self not in (BuildKind.GOOD, BuildKind.SLOW_START)


def build(folder: Path, version: str, kind: BuildKind = BuildKind.GOOD) -> Path:
    """Build the WAR of a version and kind in `folder`: same version and kind, same bytes.

    The source is compiled once per process. Raise ValueError for a version that is not a valid file
    name, ProgramError if the JDK or Tomcat's libraries are missing.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is not a version: use 1 to 40 letters, digits and . _ + -")
    classes = _compiled()
    folder.mkdir(parents=True, exist_ok=True)
    said = f"{version}-other" if kind is BuildKind.WRONG_RELEASE else version
    content = {
        "META-INF/MANIFEST.MF": (
            "Manifest-Version: 1.0\r\n"
            "Implementation-Title: shop\r\n"
            f"Implementation-Version: {version}\r\n\r\n"
        ).encode(),
        "WEB-INF/web.xml": (_SOURCE / "web.xml").read_bytes(),
        "WEB-INF/classes/release.properties": f"version={said}\nkind={kind}\n".encode(),
    }
    for path, compiled in classes.items():
        content[f"WEB-INF/classes/{path}"] = compiled
    name = f"shop-{version}" if kind is BuildKind.GOOD else f"shop-{version}-{kind}"
    war = folder / f"{name}.war"
    new = war.with_suffix(".new")
    with zipfile.ZipFile(new, "w") as archive:
        for path, data in content.items():
            # The default time of a ZipInfo is 1980-01-01, so equal builds get equal bytes.
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    return new.replace(war)


@functools.cache
def _compiled() -> Mapping[str, bytes]:
    """Give the shop's classes by their paths."""
    api = servlet_api(tomcat_home())
    with tempfile.TemporaryDirectory(prefix="javac-") as folder:
        sources, made = Path(folder) / "sources", Path(folder) / "classes"
        sources.mkdir()
        for source in _SOURCE.glob("*.java"):
            text = source.read_text(encoding="utf-8")
            if is_before_jakarta(api):
                text = text.replace("jakarta.servlet", "javax.servlet")
            (sources / source.name).write_text(text, encoding="utf-8")
        argv = [str(find_java("javac")), *_JVM, "--release", "17", "-proc:none"]
        argv += ["-cp", str(api), "-d", str(made), *map(str, sorted(sources.iterdir()))]
        compiler = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if compiler.returncode != 0:
            raise ProgramError(f"javac could not compile the shop:\n{compiler.stderr}")
        files = sorted(made.rglob("*.class"))
        return {str(file.relative_to(made)): file.read_bytes() for file in files}
