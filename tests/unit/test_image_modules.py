"""The selection of a box's kernel modules."""

from pathlib import Path

import pytest

from bigred_image.modules import asked_for, at_boot, dependencies, patterns, selected

DEP = """\
kernel/drivers/mmc/host/bcm2835.ko.xz:
kernel/drivers/mmc/host/sdhci-iproc.ko.xz: kernel/drivers/mmc/host/sdhci.ko.xz
kernel/drivers/mmc/host/sdhci.ko.xz:
kernel/drivers/gpu/drm/vc4/vc4.ko.xz: kernel/drivers/gpu/drm/drm.ko.xz
kernel/drivers/gpu/drm/drm.ko.xz:
kernel/drivers/gpu/drm/nouveau/nouveau.ko.xz: kernel/drivers/gpu/drm/drm.ko.xz
kernel/fs/ext4/ext4.ko.xz:
"""
ALIASES = """\
# Aliases extracted from modules themselves.
alias of:N*T*Cbrcm,bcm2835-sdhost bcm2835
alias of:N*T*Cbrcm,bcm2711-emmc2C* sdhci_iproc
alias of:N*T*Cbrcm,bcm*-vc4 vc4
alias of:N*T*Cother,chip nouveau
alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau
"""
MODULES = dependencies(DEP)


def tree(folder: Path, *compatible: str) -> Path:
    path = folder / "board.dtb"
    strings = b"".join(name.encode() + b"\0" for name in compatible)
    path.write_bytes(b"\xd0\x0d\xfe\xed\0\0\0\x10" + strings + b"\0\0\0\x03\xff")
    return path


def test_a_folder_includes_the_dependencies_of_its_modules() -> None:
    assert selected(["drivers/gpu/drm/vc4"], frozenset(), MODULES) == {
        "kernel/drivers/gpu/drm/vc4/vc4.ko.xz",
        "kernel/drivers/gpu/drm/drm.ko.xz",
    }


def test_a_single_module_may_be_named_as_a_file() -> None:
    assert selected(["fs/ext4/ext4.ko"], frozenset(), MODULES) == {"kernel/fs/ext4/ext4.ko.xz"}


def test_the_modules_of_the_boards_are_selected_with_their_dependencies() -> None:
    assert selected([], frozenset({"sdhci_iproc"}), MODULES) == {
        "kernel/drivers/mmc/host/sdhci-iproc.ko.xz",
        "kernel/drivers/mmc/host/sdhci.ko.xz",
    }


def test_lines_that_match_no_module_are_refused_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"fs/exta, fs/extb"):
        selected(["fs/exta", "fs/ext4", "fs/extb"], frozenset(), MODULES)


def test_a_device_tree_names_the_modules_of_its_board(tmp_path: Path) -> None:
    board = tree(tmp_path, "brcm,bcm2711-emmc2", "brcm,bcm2835-sdhost", "brcm,bcm2712-vc4")
    assert asked_for([board], ALIASES) == {"bcm2835", "sdhci_iproc", "vc4"}


def test_graphics_are_not_needed_to_reach_the_root() -> None:
    names = {"vc4", "sdhci_iproc", "bcm2835", "built_into_the_kernel"}
    assert at_boot(names, MODULES) == ("bcm2835", "sdhci_iproc")


def test_a_list_may_have_comments() -> None:
    assert patterns("# ground\nfs/ext4\n\ndrivers/mmc   # cards\n") == ("fs/ext4", "drivers/mmc")
