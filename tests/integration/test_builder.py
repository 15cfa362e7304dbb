"""Commits of real repositories become releases; failures are reported, and leave nothing."""

import asyncio
import contextlib
import os
import zipfile
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.support.build_site import automation
from tests.support.disk import fill, small_disk
from tests.support.processes import living
from tests.support.repositories import BUILD, Repository, call
from tests.support.until import until

from bigred_server import private_files
from bigred_server.journal import releases
from bigred_server.model.build import Build
from bigred_server.model.release import Stage, candidate
from bigred_server.pipeline.isolation import Isolation
from bigred_server.protection import too_open
from bigred_server.settings import ServerSettings

MIB = 1 << 20


async def test_a_commit_of_git_becomes_a_ready_release_with_its_tags_version(
    tmp_path: Path,
) -> None:
    repository = Repository.made("git", tmp_path)
    commit = repository.push("say 'hello'; $(rm -rf /) `id` \"x\" & | ü", "v1.4.2").commit
    async with automation(tmp_path, repository.central) as site:
        done = await site.ended(await site.submit(commit))
        assert (done.stage, done.reason) == (Stage.READY, "")
        found = await site.release(done)
        assert (found.version, found.commit, found.author) == ("1.4.2", commit, "Ada")
        assert found.message == "say 'hello'; $(rm -rf /) `id` \"x\" & | ü"
        with zipfile.ZipFile(site.builder.store.get(found.digest)) as war:
            assert war.read("WEB-INF/version.txt") == b"1.4.2"
        assert site.is_clean()
        stages = [one.stage for one in site.reported]
        assert stages[0] is Stage.BUILDING
        assert stages[-1] is Stage.READY


async def test_a_commit_of_mercurial_becomes_a_ready_release(tmp_path: Path) -> None:
    repository = Repository.made("hg", tmp_path)
    commit = repository.commit("first; $(false)", "1.0")
    second = repository.push("second").commit
    async with automation(tmp_path, repository.central, "hg") as site:
        done = await site.ended(await site.submit(commit))
        assert (done.stage, done.reason, done.author) == (Stage.READY, "", "Ada")
        done = await site.ended(await site.submit(second))
        found = await site.release(done)
        assert (found.commit, found.message) == (second, "second")
        assert found.version.startswith("1.0-")


async def test_nobody_else_can_read_what_a_build_without_a_user_makes(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commit = repository.push("one").commit
    server = ServerSettings(state=tmp_path / "state")
    private_files.make_folder(server.state)
    stage = {"command": ["sh", "-c", "echo ok >report.txt"], "artifacts": ["report.txt"]}
    seen: list[list[Path]] = []
    before = os.umask(0o022)
    try:
        async with automation(
            server.state,
            repository.central,
            isolation=Isolation(is_told=True),
            work=server.state / "builds" / "shop",
            tests={"one": stage, "two": stage},
        ) as site:
            noted = site.builder.report

            def note(build: Build) -> None:
                seen.append([path for path, _ in too_open(server)])
                noted(build)

            site.builder.report = note
            done = await site.ended(await site.submit(commit))
            assert (done.stage, done.reason) == (Stage.READY, "")
    finally:
        os.umask(before)
    seen.append([path for path, _ in too_open(server)])
    assert len(seen) > 3
    assert [path for found in seen for path in found] == []
    assert [*server.state.glob("builds/b-*/artifacts/two/report.txt")]


@pytest.mark.parametrize(
    ("vcs", "tag"),
    [
        *(("git", tag) for tag in ("1.0#3", "1.0(rc1)", "_1.0", "1.0-ü", "1" * 120)),
        *(("hg", tag) for tag in ("Release 1.0", "v 1.0")),
    ],
)
async def test_a_commit_whose_tag_cannot_be_a_version_becomes_a_release_named_by_its_id(
    tmp_path: Path, vcs: str, tag: str
) -> None:
    repository = Repository.made(vcs, tmp_path)
    tagged = repository.commit("first", tag)
    later = repository.push("second").commit
    with capture_logs() as logs:
        async with automation(tmp_path, repository.central, vcs) as site:
            for commit in (tagged, later):
                done = await site.ended(await site.submit(commit))
                assert (done.stage, done.reason) == (Stage.READY, "")
                assert (await site.release(done)).version == commit[:12]
    said = [one for one in logs if "the tag can't be a version" in one["event"]]
    # Mercurial keeps a tag in a later commit, so that the tagged one alone has none.
    expected = [tagged, later] if vcs == "git" else [later]
    assert [one["commit"] for one in said] == [commit[:12] for commit in expected]
    assert all(tag.removeprefix("v") in one["tag"] for one in said)


@pytest.mark.parametrize("vcs", ["git", "hg"])
async def test_control_characters_in_a_message_do_no_harm(tmp_path: Path, vcs: str) -> None:
    repository = Repository.made(vcs, tmp_path)
    first = repository.commit("bell \x07 \x1b[31m field \x1f end \x1e")
    second = repository.push("two\nlines\n\nand a body").commit
    async with automation(tmp_path, repository.central, vcs) as site:
        done = await site.ended(await site.submit(first))
        found = await site.release(done)
        assert found.message == "bell    [31m field   end"
        async with site.db.write() as db:
            await releases.make_live(db, "shop", found.digest)
        found = await site.release(await site.ended(await site.submit(second)))
        assert found.message.startswith("two")
        assert len(found.changes) == 1


@pytest.mark.parametrize("vcs", ["git", "hg"])
async def test_a_release_knows_what_changed_since_the_live_one(tmp_path: Path, vcs: str) -> None:
    repository = Repository.made(vcs, tmp_path)
    first = repository.push("first").commit
    async with automation(tmp_path, repository.central, vcs) as site:
        done = await site.ended(await site.submit(first))
        async with site.db.write() as db:
            await releases.make_live(db, "shop", done.digest or "")
        repository.commit("second")
        newest = repository.push("third").commit
        found = await site.release(await site.ended(await site.submit(newest)))
        assert [(one.message, one.author) for one in found.changes] == [
            ("third", "Ada"),
            ("second", "Ada"),
        ]


async def test_stages_run_in_order_and_their_artifacts_are_kept(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commit = repository.push("one").commit
    tests = {
        "zuerst": {
            "command": ["sh", "-c", 'echo "$LEVEL $BIGRED_COMMIT" >report.txt; echo tested'],
            "environment": {"LEVEL": "full; id"},
            "artifacts": ["report.txt", "no*such"],
        },
        "after": {"command": ["grep", "-q", "full", "report.txt"], "folder": "."},
    }
    async with automation(tmp_path, repository.central, tests=tests, promote="by_hand") as site:
        done = await site.ended(await site.submit(commit))
        assert (done.stage, done.test) == (Stage.TESTED, "after")
        assert (await site.release(done)).stage is Stage.TESTED
        assert site.log(done, "zuerst") == "tested\n"
        report = site.builder.folder / done.id / "artifacts" / "zuerst" / "report.txt"
        assert report.read_text() == f"full; id {commit}\n"
        tested = [one.test for one in site.reported if one.stage is Stage.TESTING]
        assert tested == ["zuerst", "after"]


@pytest.mark.parametrize(
    ("change", "more", "reason"),
    [
        ({"build": "exit 7"}, {}, "the build failed: exit code 7; see "),
        ({"build": "true"}, {}, "the build must leave exactly one WAR as *.war; found: none"),
        ({"build": "echo no >app.war"}, {}, "not a WAR, can't read it as a zip"),
        ({"build": "exec sleep 600"}, {"limit_s": 0.5}, "did not finish within 0.5 s"),
    ],
)
async def test_a_build_that_fails_says_why_and_deploys_nothing(
    tmp_path: Path, change: dict[str, str], more: dict[str, object], reason: str
) -> None:
    repository = Repository.made("git", tmp_path)
    repository.write({"build.sh": f"#!/bin/sh\n{change['build']}\n"})
    commit = repository.push("bad").commit
    build = {
        "repository": str(repository.central),
        "command": ["./build.sh"],
        "artifact": "*.war",
        **more,
    }
    async with automation(tmp_path, repository.central, build=build) as site:
        done = await site.ended(await site.submit(commit))
        assert done.stage is Stage.FAILED
        assert reason in done.reason
        assert done.digest is None
        assert site.is_clean()
        async with site.db.read() as db:
            assert await releases.of_app(db, "shop") == []


async def test_a_daemon_left_by_a_test_is_ended(tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}"
    repository = Repository.made("git", tmp_path)
    commit = repository.push("daemon").commit
    sleeps = f"import time; time.sleep(600)  # {mark}"
    tests = {"smoke": {"command": ["sh", "-c", f"setsid -f python3 -c '{sleeps}' & exit 0"]}}
    async with automation(tmp_path, repository.central, tests=tests) as site:
        done = await site.ended(await site.submit(commit))
        assert done.stage is Stage.READY
        assert living(mark) == []


async def test_submodules_are_checked_out(tmp_path: Path) -> None:
    library = Repository.made("git", tmp_path / "lib")
    library.push("library")
    repository = Repository.made("git", tmp_path)
    add = ("submodule", "--quiet", "add", str(library.central), "lib")
    call("git", "-c", "protocol.file.allow=always", *add, folder=repository.checkout)
    packs = (
        "#!/bin/sh\ntest -f lib/notes && mkdir WEB-INF && python3 -m zipfile -c a.war lib WEB-INF\n"
    )
    repository.write({"build.sh": packs})
    commit = repository.push("with a library").commit
    async with automation(tmp_path, repository.central) as site:
        done = await site.ended(await site.submit(commit))
        assert (done.stage, done.reason) == (Stage.READY, "")


async def test_a_missing_commit_is_reported(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    repository.push("one")
    async with automation(tmp_path, repository.central) as site:
        done = await site.ended(await site.submit("f" * 40))
        assert done.stage is Stage.FAILED
        assert "git fetch failed: " in done.reason


async def test_newer_commits_supersede_those_that_wait_and_none_is_lost(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    gate = tmp_path / "gate"
    waits = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    packs = "mkdir WEB-INF; python3 -m zipfile -c a.war notes WEB-INF"
    repository.write({"build.sh": f"#!/bin/sh\n{waits}\n{packs}\n"})
    commits = [repository.push(f"change {number}").commit for number in range(5)]
    async with automation(tmp_path, repository.central) as site:
        first = await site.submit(commits[0])
        async with asyncio.timeout(20):
            while not site.reported:
                await site.changed.wait()
        others = [await site.submit(commit) for commit in commits[1:]]
        again = await site.submit(commits[4])
        assert again.id == others[3].id
        gate.touch()
        ended = [await site.ended(build) for build in (first, *others)]
        assert [one.stage for one in ended] == [
            Stage.READY,
            *[Stage.SUPERSEDED] * 3,
            Stage.READY,
        ]
        assert [one.number for one in ended] == [1, 2, 3, 4, 5]


async def test_a_branch_that_goes_back_makes_its_old_release_the_candidate(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commits = [repository.push(message).commit for message in ("one", "two")]
    async with automation(tmp_path, repository.central) as site:
        first, second = [await site.ended(await site.submit(commit)) for commit in commits]
        reported = len(site.reported)
        again = await site.ended(await site.submit(commits[0]))
        # It is neither built nor tested again.
        assert [one.stage for one in site.reported[reported:]] == [Stage.READY]
        assert (again.number, again.digest, again.version) == (3, first.digest, first.version)
        async with site.db.read() as db:
            found = candidate(await releases.of_app(db, "shop"))
        assert found is not None
        assert (found.commit, found.digest) == (commits[0], first.digest)
        # What was rolled back stays bad, and the build says so.
        async with site.db.write() as db:
            await releases.set_stage(db, "shop", second.digest or "", Stage.BAD)
        failed = await site.ended(await site.submit(commits[1]))
        assert (failed.stage, "is bad" in failed.reason) == (Stage.FAILED, True)


async def test_a_release_whose_war_was_removed_is_built_again(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commits = [repository.push(message).commit for message in ("one", "two")]
    async with automation(tmp_path, repository.central) as site:
        first, _ = [await site.ended(await site.submit(commit)) for commit in commits]
        site.builder.store.forget(first.digest or "")
        again = await site.ended(await site.submit(commits[0]))
        assert again.stage is Stage.READY
        assert site.builder.store.has(again.digest or "")


async def test_the_next_server_continues_at_the_interrupted_stage(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path)
    commit = repository.push("one").commit
    gate, runs = tmp_path / "gate", tmp_path / "runs"
    waits = f"echo {{}} >>{runs}; while [ ! -e {gate} ]; do sleep 0.05; done"
    tests = {
        "unit": {"command": ["sh", "-c", f"echo unit >>{runs}"]},
        "slow": {"command": ["sh", "-c", waits.format("slow")]},
    }
    async with automation(tmp_path, repository.central, tests=tests) as site:
        build = await site.submit(commit)
        async with asyncio.timeout(20):
            while not (runs.exists() and "slow" in runs.read_text()):
                site.changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await site.changed.wait()
    gate.touch()
    async with automation(tmp_path, repository.central, tests=tests) as site:
        done = await site.ended(build)
        assert done.stage is Stage.READY
    assert runs.read_text().split() == ["unit", "slow", "slow"]


# --- a full disk ---------------------------------------------------------------------------------


async def test_builds_wait_while_there_is_no_room_and_go_on_by_themselves(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path / "repository")
    commit = repository.push("first", "1.0").commit
    with small_disk(tmp_path / "disk", 128 * MIB) as disk:
        async with automation(disk, repository.central) as site:
            (disk / "others").write_bytes(bytes(100 * MIB))
            build = await site.submit(commit)
            await site.is_waiting(build)
            (disk / "others").unlink()
            done = await site.ended(build)
            assert (done.stage, done.reason) == (Stage.READY, "")


async def test_a_build_whose_disk_is_filled_by_others_is_built_again(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path / "repository")
    with small_disk(tmp_path / "disk", 128 * MIB) as disk:
        started, go_on = tmp_path / "started", tmp_path / "go-on"
        waits = f"touch {started}\nwhile [ ! -e {go_on} ]; do sleep 0.05; done\n"
        repository.write({"build.sh": BUILD.replace("\n", f"\n{waits}", 1)})
        commit = repository.push("first", "1.0").commit
        async with automation(disk, repository.central) as site:
            build = await site.submit(commit)
            await until(started.exists, 30.0, "the build has begun")
            ballast = fill(disk)
            go_on.touch()
            await site.is_waiting(build)
            ballast.unlink()
            done = await site.ended(build)
            assert (done.stage, done.reason) == (Stage.READY, "")
            assert site.is_clean()


async def test_a_build_that_fills_the_disk_itself_fails_once_and_says_so(tmp_path: Path) -> None:
    repository = Repository.made("git", tmp_path / "repository")
    repository.write({"build.sh": "#!/bin/sh\nset -e\ncat /dev/zero > ballast\n"})
    commit = repository.push("first", "1.0").commit
    with small_disk(tmp_path / "disk", 128 * MIB) as disk:
        async with automation(disk, repository.central) as site:
            done = await site.ended(await site.submit(commit))
            assert done.stage is Stage.FAILED
            assert done.reason.startswith(f"it filled the disk of {disk}"), done.reason
            assert site.is_clean()
