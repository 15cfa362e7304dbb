"""The functions of the image builder that need no tools."""

import os
from pathlib import Path

import pytest

from bigred_image import agent, board, cache, dates, layer, root
from bigred_image.errors import ImageError

REQUIREMENTS = """\
click==8.5.1 ; sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
pydantic-core==2.50.4 \\
    --hash=sha256:cc
"""


def test_only_the_named_libraries_come_from_the_lock() -> None:
    taken = agent.lines_of(frozenset({"pydantic-core"}), REQUIREMENTS)
    assert taken == "pydantic-core==2.50.4 \\\n    --hash=sha256:cc\n"


def test_a_library_that_is_not_locked_is_refused() -> None:
    with pytest.raises(ImageError, match="not lock gpiozero"):
        agent.lines_of(frozenset({"click", "gpiozero"}), REQUIREMENTS)


def test_a_package_that_apt_would_install_is_named_with_its_version() -> None:
    printed = "Inst udev (257.13 Debian [arm64]) []\nConf udev (257.13)\nInst libc6 (2.41 x)\n"
    assert root.installed(printed) == ("libc6 2.41", "udev 257.13")


def test_an_archive_without_packages_is_refused() -> None:
    with pytest.raises(ImageError, match="no package"):
        root.installed("Reading package lists...\n")


def test_the_key_of_files_covers_names_contents_modes_and_links(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("1")
    keys = [cache.files([file], tmp_path)]
    file.chmod(0o755)
    keys.append(cache.files([file], tmp_path))
    file.write_text("2")
    keys.append(cache.files([file], tmp_path))
    file.rename(tmp_path / "b")
    keys.append(cache.files([tmp_path / "b"], tmp_path))
    file.symlink_to("b")
    keys.append(cache.files([file], tmp_path))
    assert len(set(keys)) == len(keys)


def test_the_date_of_a_root_is_that_of_its_newest_package(tmp_path: Path) -> None:
    for name, date in {"old": 1000, "new": 2000, "made": 9000, "proc": 3000}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").touch()
        os.utime(folder / "file", (date, date))
    assert dates.newest(tmp_path, started=5000) == 2000
    dates.set_back(tmp_path, 2000, newer_than=2000)
    assert [int((tmp_path / name / "file").stat().st_mtime) for name in ("old", "new", "made")] == [
        1000,
        2000,
        2000,
    ]
    assert int(tmp_path.stat().st_mtime) == 2000


def test_the_firmware_finds_kernel_and_initrd_in_config_txt() -> None:
    config = board.config("# kernel=no\nkernel=vmlinuz\ninitramfs initrd.img followkernel\n")
    assert config == {"kernel": "vmlinuz", "initramfs": "initrd.img"}


@pytest.mark.parametrize("machine", board.MACHINES)
def test_each_machine_starts_the_kernel_with_the_cards_own_arguments(machine: str) -> None:
    start = board.Start(Path("/k"), Path("/i"), Path("/t"), "root=x")
    command = board.command(machine, start, Path("/card"), 2222)
    assert command[command.index("-kernel") + 1] == Path("/k")
    assert str(command[command.index("-append") + 1]).startswith("root=x")
    assert any("/card" in str(word) for word in command)


def test_everything_that_differs_from_the_base_gets_the_date_of_the_commit(tmp_path: Path) -> None:
    base = tmp_path / "base"
    top = tmp_path / "root"
    for folder in (base, top):
        (folder / "etc").mkdir(parents=True)
        for name in ("kept", "changed"):
            (folder / "etc" / name).write_text(name)
            os.utime(folder / "etc" / name, (1000, 1000))
    (top / "etc/changed").write_text("by us")
    (top / "etc/new").write_text("ours")
    (top / "etc/link").symlink_to("nowhere")
    os.utime(top / "etc/new", (5000, 5000))
    layer.date_changes(top, base, 3000)
    found = {path.name: path.lstat().st_mtime for path in (top / "etc").iterdir()}
    assert found == {"kept": 1000, "changed": 3000, "new": 3000, "link": 3000}


def test_the_commands_of_libraries_leave_no_trace_of_the_building_machine(
    tmp_path: Path,
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pinout").write_text("#!/of/this/machine/python\n")
    record = tmp_path / "gpiozero-2.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("../../bin/pinout,sha256=abc,226\ngpiozero/__init__.py,sha256=def,9\n")
    agent.forget_scripts(tmp_path)
    assert not (tmp_path / "bin").exists()
    assert record.read_text() == "gpiozero/__init__.py,sha256=def,9\n"
