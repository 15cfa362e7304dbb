"""What people would use instead of Bigred, each deploying once on a site of `bench roll`."""

import subprocess
from collections.abc import Mapping
from functools import partial

from tests.support import ancestor
from tests.support.ansible import Ansible
from tests.support.roll_cases import Way
from tests.support.roll_site import BESIDE, Peer, RollSite

from bigred_server.rollout.core.target import Strategy

_DEADLINE_S = 240.0


def peers(ansible: Ansible | None) -> Mapping[Way, Peer]:
    """Return all that can be measured on this machine."""
    found: dict[Way, Peer] = {
        Way.BY_HAND: by_hand,
        Way.BY_HAND_TWO: partial(by_hand, at_a_time=2),
        Way.PUT: put,
        Way.ANCESTOR: as_ever,
    }
    return found | ({Way.ANSIBLE: partial(playbook, ansible)} if ansible else {})


def by_hand(site: RollSite, at_a_time: int = 1) -> None:
    """Update the nodes by a script, as this strategy does."""
    hand = site.by_hand()
    hand.roll(hand.restart if site.case.strategy is Strategy.RESTART else hand.redeploy, at_a_time)


def put(site: RollSite) -> None:
    """Give the release to the Manager of each node in turn."""
    hand = site.by_hand()
    version = BESIDE if site.case.strategy is Strategy.PARALLEL else ""
    hand.roll(lambda name: hand.put(name, version))


def playbook(ansible: Ansible, site: RollSite) -> None:
    """Run Ansible's rolling update."""
    demo_site = site.rig.demo_site
    ansible.roll(demo_site.haproxy, demo_site.nodes, site.war, site.version)


def as_ever(site: RollSite) -> None:
    """Run the ancestor's script, and wait until every node serves again: it does not wait."""
    folder = site.rig.demo_site.folder / "ancestor"
    folder.mkdir(exist_ok=True)
    flag = folder / "flag"
    flag.touch()
    command = ancestor.command(flag, site.war, site.rig.demo_site.nodes, folder)
    subprocess.run(command, check=True, capture_output=True, timeout=_DEADLINE_S)
    site.rig.until_serving(site.version, _DEADLINE_S)
