"""What a build left is found and copied as files of its own; links lead nowhere."""

import os
from pathlib import Path, PurePosixPath

import pytest

from bigred_server.errors import BuildError
from bigred_server.model import disk_space
from bigred_server.pipeline import built_files


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    checkout = tmp_path / "checkout"
    for name in ("app.war", "target/a.war", "target/deep/er/b.war", "target/.c.war", "notes"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    return checkout


def found(checkout: Path, pattern: str) -> list[str]:
    return [str(path) for path in built_files.find(checkout, pattern)]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("app.war", ["app.war"]),
        ("*.war", ["app.war"]),
        ("./target/a.war", ["target/a.war"]),
        ("target/*.war", ["target/.c.war", "target/a.war"]),
        ("t*/d?ep/[e]r/*", ["target/deep/er/b.war"]),
        ("**/*.war", ["app.war", "target/.c.war", "target/a.war", "target/deep/er/b.war"]),
        ("target/**/er/**/b.war", ["target/deep/er/b.war"]),
        ("target", []),
        ("target/**", ["target/.c.war", "target/a.war", "target/deep/er/b.war"]),
        ("missing/*", []),
        ("app.war/x", []),
        (".", []),
    ],
)
def test_a_pattern_finds_files(checkout: Path, pattern: str, names: list[str]) -> None:
    assert found(checkout, pattern) == names


def test_a_pattern_is_never_led_out_of_the_checkout(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "bigred.war").write_text("secret")
    (checkout / "reports").symlink_to(tmp_path / "state")
    (checkout / "loop").symlink_to(checkout)
    for pattern in ("reports/*", "reports/bigred.war", "loop/app.war", "*/bigred.war"):
        assert found(checkout, pattern) == []
    assert "reports/bigred.war" not in found(checkout, "**/*.war")


@pytest.mark.parametrize("path", ["link.war", "reports/bigred.war", "pipe.war", "target"])
def test_only_regular_files_of_the_checkout_are_copied(
    checkout: Path, tmp_path: Path, path: str
) -> None:
    (tmp_path / "bigred.war").write_text("secret")
    (checkout / "link.war").symlink_to(tmp_path / "bigred.war")
    (checkout / "reports").symlink_to(tmp_path)
    os.mkfifo(checkout / "pipe.war")
    with pytest.raises(
        BuildError, match=r"can't be read: .*; links are not followed|not a regular"
    ):
        built_files.copy(checkout, PurePosixPath(path), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_is_copied_if_it_belongs_to_the_build(checkout: Path, tmp_path: Path) -> None:
    to = tmp_path / "kept" / "copy"
    built_files.copy(checkout, PurePosixPath("target/a.war"), to, os.getuid())
    assert to.read_text() == "target/a.war"
    with pytest.raises(BuildError, match=r"belongs to user .*; let the build copy it"):
        built_files.copy(checkout, PurePosixPath("app.war"), to, os.getuid() + 1)


def test_a_file_without_end_does_not_fill_the_disk(checkout: Path, tmp_path: Path) -> None:
    with (checkout / "huge.war").open("wb") as file:
        # As a sparse file it takes no room here.
        file.truncate(1 << 43)
    spare = disk_space.SPARE_BYTES >> 20
    with pytest.raises(BuildError, match=rf"free; huge\.war needs 8388608 MiB and {spare} MiB"):
        built_files.copy(checkout, PurePosixPath("huge.war"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_file_that_grows_is_refused_and_not_followed(checkout: Path, tmp_path: Path) -> None:
    growing, copied = checkout / "growing.war", []
    growing.write_bytes(b"x" * 100)

    def grow(count: int) -> None:
        copied.append(count)
        if len(copied) < 100:
            with growing.open("ab") as file:
                file.write(b"x" * (1 << 20))

    with pytest.raises(BuildError, match=r"growing\.war was written to while it was copied; let"):
        built_files.copy(checkout, PurePosixPath("growing.war"), tmp_path / "copy", step=grow)
    assert len(copied) <= 2
    assert not (tmp_path / "copy").exists()
