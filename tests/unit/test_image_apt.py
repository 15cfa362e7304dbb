"""The image builder reads the machine's own apt sources."""

from pathlib import Path

import pytest

from bigred_image.apt import Mirrors, mirrors
from bigred_image.errors import ImageError

ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://near.example/debian/ bookworm main
deb-src http://source.example/debian bookworm main
deb http://safe.example/security bookworm-security main # safety
deb https://tools.example/apt tools main
"""
DEB822 = """\
Types: deb deb-src
# a comment inside
URIs: http://near.example/debian
Suites:
 bookworm-updates
# another
 bookworm
Components: main

Enabled: no
Types: deb
URIs: http://off.example/security
Suites: bookworm-security

Types: deb
URIs: http://safe.example/security/
Suites: bookworm-security
"""
EXPECTED = Mirrors("http://near.example/debian", "http://safe.example/security")


def machine(folder: Path, name: str, sources: str, release: str = "ID=debian") -> tuple[Path, Path]:
    (folder / "sources.list.d").mkdir()
    (folder / name).write_text(sources)
    os_release = folder / "os-release"
    os_release.write_text(f'{release}\nVERSION_CODENAME="bookworm"\n')
    return folder, os_release


@pytest.mark.parametrize(
    ("name", "sources"),
    [
        ("sources.list", ONE_LINE),
        ("sources.list.d/debian.list", ONE_LINE),
        ("sources.list.d/debian.sources", DEB822),
    ],
)
def test_both_mirrors_are_read_from_either_form(tmp_path: Path, name: str, sources: str) -> None:
    assert mirrors(*machine(tmp_path, name, sources)) == EXPECTED


def test_a_machine_that_is_not_debian_must_be_given_the_mirrors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="--mirror"):
        mirrors(*machine(tmp_path, "sources.list", ONE_LINE, "ID=ubuntu"))


def test_a_machine_without_security_updates_must_be_given_the_mirrors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="--security-mirror"):
        mirrors(*machine(tmp_path, "sources.list", "deb http://near.example bookworm main\n"))


def test_the_sources_of_the_root_are_four_suites_of_two_archives() -> None:
    assert EXPECTED.sources("trixie").splitlines() == [
        "deb http://near.example/debian trixie main non-free-firmware",
        "deb http://near.example/debian trixie-updates main non-free-firmware",
        "deb http://near.example/debian trixie-backports main non-free-firmware",
        "deb http://safe.example/security trixie-security main non-free-firmware",
    ]
