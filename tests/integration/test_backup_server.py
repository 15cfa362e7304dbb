"""A backup of a running server in mid-deployment is enough to go on with on another machine."""

import json
from contextlib import ExitStack
from pathlib import Path

from tests.support.journal import Journal
from tests.support.rig import Rig, rig

from bigred_server.artifacts.files import digest_of
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.request_log import failures
from bigred_server.rollout.core.action import ActionKind as Act

NODES = 2
ORDERS = LoadOptions(60.0, slowest_ms=1500)
WRITTEN = "wrote the journal and 2 releases to "


def listed(made: Rig) -> list[tuple[str, str]]:
    found = json.loads(made.bigred("release", "list", "--json"))
    return sorted((one["version"], one["digest"]) for one in found)


def test_a_restored_server_knows_the_same_and_deploys(tmp_path: Path) -> None:
    options = DemoOptions(more={"apps.shop.admission": {"warmup_requests": 20}})
    with ExitStack() as stack:
        made = stack.enter_context(rig(NODES, options))
        stack.enter_context(made.demo_site.box())
        shop = shopping(made.demo_site.folder, made.demo_site.urls, ORDERS)
        load = stack.enter_context(ExitStack())
        seen = load.enter_context(shop)
        deployment = made.deploy("2.0.0")
        made.until_act(deployment, "node1", Act.STOP)
        # A press while it runs: the journal is written all the time.
        made.demo_site.set_button("open")
        said = made.bigred("backup", str(tmp_path / "backup.tar"), "--with-config")
        assert said.startswith(WRITTEN), said
        made.succeeds(deployment)
        before = listed(made)
        made.submit("3.0.0")
        made.stop()

        # Another machine: another folder, and a configuration that names it.
        state = tmp_path / "state"
        said = made.bigred("restore", str(tmp_path / "backup.tar"), "--state", str(state))
        assert "restored the journal and 2 releases from the backup of " in said
        kept = state / "bigred.toml.restored"
        lines = kept.read_text().splitlines()
        old = next(line for line in lines if line.startswith("state = "))
        made.demo_site.config.write_text(kept.read_text().replace(old, f'state = "{state}"'))
        made.journal = Journal(f"sqlite:///{state / 'bigred.db'}")
        made.start()

        # The fleet has moved on to 2.0.0, and nobody takes it back.
        assert listed(made) == before
        for _, digest in before:
            assert digest_of(state / "releases" / f"{digest}.war") == digest
        assert deployment in made.bigred("history")
        assert "the journal was restored from the backup of" in made.bigred("show", deployment)
        assert set(made.serving().values()) == {"2.0.0"}
        made.succeeds(made.deploy("2.1.0"))
        assert made.serving() == {"node1": "2.1.0", "node2": "2.1.0"}
        load.close()
        assert failures(seen.seen()) == []
