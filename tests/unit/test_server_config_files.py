"""Where a running HAProxy's files are: what the kernel and HAProxy's environment tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bigred_server.haproxy import config_files

WORKER, MASTER = 20, 10
TEXT = "listen shop\n bind :80\n"

Process = Callable[..., None]


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    """Return a function that makes a process as /proc shows it."""
    monkeypatch.setattr(config_files, "PROC", tmp_path / "proc")

    def make(
        pid: int,
        cwd: Path,
        root: str = "/",
        parent: int = 1,
        command: str = "",
        name: str = "haproxy",
    ) -> None:
        folder = tmp_path / "proc" / str(pid)
        folder.mkdir(parents=True)
        (folder / "comm").write_text(f"{name}\n")
        (folder / "status").write_text(f"Name:\t{name}\nPPid:\t{parent}\n")
        (folder / "cmdline").write_bytes(command.replace(" ", "\0").encode())
        (folder / "cwd").symlink_to(cwd)
        if root:
            (folder / "root").symlink_to(root)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder in which HAProxy was started, with its file."""
    (tmp_path / "started").mkdir()
    (tmp_path / "started" / "h.cfg").write_text(TEXT)
    return tmp_path / "started"


def found(paths: str, started: str = "") -> tuple[str | None, str]:
    """Find HAProxy's files; `started`: where its shell says that it was started."""
    environment = {"HAPROXY_CFGFILES": paths, "PWD": started}
    return config_files.texts(WORKER, environment, ["shop"])


def test_absolute_paths_need_no_process(folder: Path) -> None:
    (folder / "more.cfg").write_text("# more")
    assert found(f"{folder}/h.cfg;{folder}/more.cfg") == (f"{TEXT}\n# more", "")


@pytest.mark.parametrize("path", ["none.cfg", "."])
def test_a_file_or_folder_that_cannot_be_read_is_unknown(folder: Path, path: str) -> None:
    text, why = found(f"{folder}/h.cfg;{folder / path}")
    assert text is None
    assert f"{folder / path} can't be read" in why


def test_without_a_list_of_files_nothing_is_known() -> None:
    text, why = config_files.texts(WORKER, {}, ["shop"])
    assert text is None
    assert "does not say where its configuration is" in why


def test_a_relative_path_starts_where_haproxy_is(process: Process, folder: Path) -> None:
    process(WORKER, folder)
    assert found("h.cfg", started="/elsewhere") == (TEXT, "")


def test_in_a_chroot_the_master_is_still_where_it_started(process: Process, folder: Path) -> None:
    process(WORKER, Path("/var/lib/haproxy"), root="/var/lib/haproxy", parent=MASTER)
    process(MASTER, folder)
    assert found("h.cfg", started="/elsewhere") == (TEXT, "")


def test_without_a_master_the_shells_folder_counts(process: Process, folder: Path) -> None:
    process(WORKER, Path("/var/lib/haproxy"), root="/var/lib/haproxy")
    assert found("h.cfg", started=str(folder)) == (TEXT, "")


def test_a_parent_that_is_no_haproxy_is_not_asked(process: Process, folder: Path) -> None:
    process(WORKER, Path("/var/lib/haproxy"), root="/var/lib/haproxy", parent=MASTER)
    process(MASTER, folder, name="systemd")
    assert found("h.cfg")[0] is None


def test_where_the_kernel_hides_the_process_the_shells_folder_counts(
    process: Process, folder: Path
) -> None:
    process(WORKER, folder / "nowhere", root="")
    assert found("h.cfg", started=str(folder)) == (TEXT, "")


def test_a_file_that_only_seems_to_be_haproxys_is_not_read(process: Process, folder: Path) -> None:
    process(WORKER, Path("/var/lib/haproxy"), root="/var/lib/haproxy")
    (folder / "h.cfg").write_text("listen blog\n bind :80\n")
    text, why = found("h.cfg", started=str(folder))
    assert text is None
    assert why == (
        "h.cfg can't be found: it is relative to the folder in which HAProxy was started; start "
        "HAProxy with -f and an absolute path"
    )


def test_haproxys_own_change_of_folder_counts(process: Process, folder: Path) -> None:
    command = "haproxy -D -C started -f h.cfg"
    process(WORKER, Path("/var/lib/haproxy"), root="/var/lib/haproxy", command=command)
    assert found("h.cfg", started=str(folder.parent)) == (TEXT, "")
