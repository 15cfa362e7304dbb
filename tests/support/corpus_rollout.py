"""A deployment on fake nodes behind a real HAProxy: its real states, no Tomcats, no journal."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.support.web import Web

from bigred_broker.messages import Phase
from bigred_server.haproxy.pool import Pool
from bigred_server.judge.policy import JudgePolicy, Mode
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.deployment import Deployment, entered
from bigred_server.rollout.core.observation import Admin, Answer, HostLook, NodeLook
from bigred_server.rollout.core.progress import NodeProgress, track
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.view import View, wanted
from bigred_server.settings import AppSettings

NEW, OLD = Target("new", "2"), Target("old", "1")
POLL_S = 0.02
_SERVER = re.compile(r"^( +server \S+ )(\S+)(.*)$", re.MULTILINE)
_TLS = re.compile(r" (?:ssl|check-ssl|verify \S+|ca-file \S+|sni \S+|check-sni \S+)(?= |$)")
_QUICK = " inter 50ms fastinter 50ms downinter 50ms"
_STATES = {
    ActionKind.DRAIN: Admin.DRAIN,
    ActionKind.MAINT: Admin.MAINT,
    ActionKind.READY: Admin.READY,
    ActionKind.ADMIT: Admin.DRAIN,
}


def answered(text: str, webs: Mapping[str, Web]) -> str:
    """Return a configuration whose servers are web servers, by their addresses, checked quickly."""

    def line(found: re.Match[str]) -> str:
        web = webs.get(found[2])
        if web is None:
            return found[0]
        words = _TLS.sub("", found[3])
        quick = (
            " inter 50ms fastinter 50ms downinter 50ms" if re.search(r"\bcheck\b", words) else ""
        )
        return f"{found[1]}127.0.0.1:{web.port}{words}{quick}"

    return _SERVER.sub(line, text)


def addresses(text: str) -> list[str]:
    """Return the addresses of a configuration's servers, but for sockets and unnamed ones."""
    found = dict.fromkeys(address for _, address, _ in _SERVER.findall(text))
    return [address for address in found if not address.startswith("unix@")]


@dataclass
class FakeNodes:
    """The nodes of an app, all on the old release; `stopped`: each node's state at that moment."""

    app: AppSettings
    pool: Pool
    hosts: dict[str, HostLook] = field(default_factory=dict)
    stopped: dict[str, Admin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hosts = {name: HostLook(OLD.digest, running=True) for name in self.app.nodes}

    async def looks(self) -> tuple[dict[str, NodeLook], Mapping[str, tuple[str, ...]]]:
        """Look at HAProxy and at the nodes."""
        pool = await self.pool.look()
        assert pool.problem == ""
        return {
            name: NodeLook(name, pool.server(self.app.server_of(name)), host, _answer(host))
            for name, host in self.hosts.items()
        }, pool.sharing

    async def act(self, action: Action, looks: Mapping[str, NodeLook]) -> None:
        """Do one thing to one node."""
        host, server = self.hosts[action.node], self.app.server_of(action.node)
        match action.kind:
            case ActionKind.STOP:
                self.stopped[action.node] = looks[action.node].pool.admin
                self.hosts[action.node] = replace(host, running=False)
            case ActionKind.SWAP:
                self.hosts[action.node] = replace(host, digest=action.target.digest)
            case ActionKind.START:
                self.hosts[action.node] = replace(host, running=True)
            case _:
                await self.pool.set_state(server, _STATES[action.kind])


def _answer(host: HostLook) -> Answer:
    marker = NEW.marker if host.digest == NEW.digest else OLD.marker
    return Answer(came=True, ok=True, marker=marker) if host.running else Answer()


async def roll(nodes: FakeNodes, deadline_s: float) -> DeploymentRecord:
    """Deploy a release, one decision after the other; return the record of its outcome."""
    policy = replace(
        nodes.app.policy(),
        judge=JudgePolicy(mode=Mode.OFF),
        canary_bake_s=0.0,
        batch_bake_s=0.0,
        last_bake_s=0.0,
        drain_s=0.5,
    )
    record = DeploymentRecord("d-1", "shop", NEW.digest, OLD.digest, "ada", 0.0)
    progress: dict[str, NodeProgress] = {}
    end_s = time.monotonic() + deadline_s
    while record.phase is Phase.PREPARING or not record.phase.is_outcome:
        assert time.monotonic() < end_s, record
        looks, sharing = await nodes.looks()
        deployment = Deployment(record, NEW, OLD)
        progress = track(progress, looks, wanted(deployment), time.monotonic())
        view = View(deployment, looks, progress, {}, policy, time.monotonic(), sharing=sharing)
        decision = decide(view)
        record = entered(record, decision, 0.0)
        for action in decision.actions:
            await nodes.act(action, looks)
        if not decision.actions:
            await asyncio.sleep(POLL_S)
    return record
