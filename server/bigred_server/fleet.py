"""The real fleet of one app: HAProxy by its Runtime API, nodes by their commands and HTTP."""

import asyncio
import time

import httpx2

from bigred_server.errors import HaproxyError, NodeError
from bigred_server.haproxy.backend import Backend, BackendLook
from bigred_server.pipeline.store import Store
from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.look import Admin, Answer, NodeLook
from bigred_server.rollout.policy import Policy
from bigred_server.rollout.view import is_serving
from bigred_server.settings import AppSettings
from bigred_server.tomcat.local import LocalHost
from bigred_server.tomcat.probe import Probe

_ANSWER_KEEPS_S = 1.0


class RealFleet:
    """Looks at the nodes of one app and does the acts of its rollout."""

    def __init__(self, app: AppSettings, store: Store, http: httpx2.AsyncClient) -> None:
        self._app = app
        self._store = store
        self._policy: Policy = app.policy()
        self._backend = Backend(app.haproxy.sockets[0], app.haproxy.backend)
        self._nodes = {name: LocalHost(node) for name, node in app.nodes.items()}
        self._probes = {
            name: Probe(http, node.url, app.marker, app.admission)
            for name, node in app.nodes.items()
        }

        self._answers: dict[str, tuple[float, Answer]] = {}

    async def check(self) -> None:
        """Raise HaproxyError when HAProxy lacks a server, or denies us what we need."""
        await self._backend.check([self._app.server_of(name) for name in self._nodes])

    async def look(self, *, deep: bool) -> FleetLook:
        """Look at all nodes."""
        try:
            seen: BackendLook | None = await self._backend.look()
            trouble = ""
        except HaproxyError as error:
            seen, trouble = None, str(error)
        looks = await asyncio.gather(*(self._look(name, seen, deep=deep) for name in self._nodes))
        return FleetLook(
            nodes=dict(zip(self._nodes, looks, strict=True)),
            pid=seen.pid if seen else None,
            counters=seen.counters if seen else None,
            trouble=trouble,
        )

    async def _look(self, name: str, seen: BackendLook | None, *, deep: bool) -> NodeLook:
        row = seen.servers.get(self._app.server_of(name)) if seen else None
        shallow = NodeLook(
            name=name,
            admin=row.admin if row else Admin.UNKNOWN,
            up=row.up if row else False,
            fresh=row.fresh if row else False,
            in_flight=row.in_flight if row else 0,
        )
        if not deep:
            return shallow
        node = self._nodes[name]
        here = await node.look(answers=True)
        answer = await self._answer(name, here.manifest, in_service=is_serving(shallow))
        # Something that answers runs; only where nothing does is it worth a process to ask.
        running = True if answer.came else (await node.look(answers=False)).running
        return NodeLook(
            name=name,
            admin=shallow.admin,
            up=shallow.up,
            fresh=shallow.fresh,
            in_flight=shallow.in_flight,
            digest=here.digest,
            running=running,
            answer=answer,
        )

    async def _answer(self, name: str, manifest: dict[str, str], *, in_service: bool) -> Answer:
        """Ask the app, but not ten times a second where HAProxy's check finds it well anyway."""
        asked_at_s, answer = self._answers.get(name, (float("-inf"), Answer()))
        if in_service and answer.ok and time.monotonic() - asked_at_s < _ANSWER_KEEPS_S:
            return answer
        answer = await self._probes[name].answer(manifest)
        self._answers[name] = (time.monotonic(), answer)
        return answer

    async def act(self, act: Act) -> str:
        """Do one act."""
        node, server = self._nodes[act.node], self._app.server_of(act.node)
        match act.kind:
            case Kind.DRAIN:
                return await self._backend.set_state(server, Admin.DRAIN)
            case Kind.MAINT:
                return await self._backend.set_state(server, Admin.MAINT)
            case Kind.READY:
                return await self._backend.set_state(server, Admin.READY)
            case Kind.CUT:
                await self._backend.cut(server)
                return "sessions were cut"
            case Kind.STOP:
                return await node.stop(self._policy.stop_s)
            case Kind.SWAP:
                source = await asyncio.to_thread(self._store.get, act.goal.digest)
                await node.fetch(source, act.goal.digest, frozenset())
                return await node.swap(act.goal.digest)
            case Kind.START:
                return await node.start(self._policy.start_s)
            case Kind.FETCH | Kind.DEPLOY | Kind.UNDEPLOY:
                raise NodeError(f"{act.kind} is not known")
            case Kind.ADMIT:
                seen = await self._admit(act.node)
                await self._backend.set_state(server, Admin.DRAIN)
                return seen

    async def _admit(self, node: str) -> str:
        limit_s = self._policy.admit_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._probes[node].admit()
        except TimeoutError as error:
            raise NodeError(f"smoke tests and warm-up took more than {limit_s:g} s") from error
