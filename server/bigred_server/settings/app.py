"""`[apps.NAME]`: one app, its nodes and how it is deployed."""

import re
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from bigred_broker.messages import Id
from bigred_broker.settings import Section
from bigred_server.judge.policy import JudgePolicy, SeriesPolicy
from bigred_server.model import context_path, haproxy_name
from bigred_server.model.hook import Hook, HookCommand
from bigred_server.model.marker import MarkerOrPreset, MarkerSource
from bigred_server.rollout.core.policy import Policy, Sessions, share
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings.admission import AdmissionSettings
from bigred_server.settings.build import (
    BuildSettings,
    Deploy,
    Promote,
    StageSettings,
    VariableName,
)
from bigred_server.settings.deadlines import BakeSettings, DeadlineSettings, Seconds
from bigred_server.settings.judge import JudgeSettings
from bigred_server.settings.node import Argv, NodeSettings, ReachBy, need_different_tomcats
from bigred_server.settings.notify import NotifySettings
from bigred_server.settings.series import SeriesSettings


class HaproxySettings(Section):
    """`[apps.NAME.haproxy]`: Runtime APIs and backends, commanded and read alike.

    The first backend has a server for every node. `unmanaged`: backends that share Tomcats with
    these, and are left alone.
    """

    socket: str | Annotated[tuple[str, ...], Field(min_length=1)]
    backend: str | Annotated[tuple[str, ...], Field(min_length=1)]
    unmanaged: tuple[str, ...] = ()

    @field_validator("backend", "unmanaged")
    @classmethod
    def _are_names(cls, names: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (names,) if isinstance(names, str) else names:
            haproxy_name.checked(name)
        return names

    @model_validator(mode="after")
    def _backends_differ(self) -> "HaproxySettings":
        names = (*self.backends, *self.unmanaged)
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the backend {twice!r} is named twice in `backend` and `unmanaged`")
        return self

    @property
    def backends(self) -> tuple[str, ...]:
        """The backends of this app, the first one with a server for every node."""
        return (self.backend,) if isinstance(self.backend, str) else self.backend

    @property
    def sockets(self) -> tuple[str, ...]:
        """The Runtime API of every HAProxy in front of this app."""
        return (self.socket,) if isinstance(self.socket, str) else self.socket


class HookSettings(Section):
    """`[apps.NAME.hooks]`: commands that the server runs on its machine around a deployment."""

    before: Argv | None = None
    before_s: Seconds = 600.0
    after: Argv | None = None
    after_s: Seconds = 600.0
    on_failure: Argv | None = None
    on_failure_s: Seconds = 600.0
    inherit: tuple[VariableName, ...] = ()

    def commands(self) -> dict[Hook, HookCommand]:
        """Return what each configured hook runs."""
        configured = {
            Hook.BEFORE: (self.before, self.before_s),
            Hook.AFTER: (self.after, self.after_s),
            Hook.ON_FAILURE: (self.on_failure, self.on_failure_s),
        }
        return {
            hook: HookCommand(line, limit_s)
            for hook, (line, limit_s) in configured.items()
            if line is not None
        }


class AppSettings(Section):
    """`[apps.NAME]` of an app that Bigred deploys itself."""

    driver: Literal["tomcat"] = "tomcat"
    strategy: Strategy = Strategy.RESTART
    context: Annotated[str, AfterValidator(context_path.checked)] | None = None
    sessions: Sessions = Sessions.MOVE
    sessions_shared: bool = False
    canary: Annotated[int, Field(ge=0)] = Policy.canary
    batch: int | str | None = None
    min_healthy: int | str | None = None
    headroom: Annotated[float, Field(gt=0, le=1)] = Policy.headroom
    keep: Annotated[int, Field(ge=1, le=1000)] = 5
    warn_redeploys: Annotated[int, Field(ge=1)] = 10
    countdown_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    deploy: Deploy = Deploy.ON_PRESS
    promote: Promote = Promote.BY_ITSELF
    haproxy: HaproxySettings
    marker: MarkerOrPreset
    admission: AdmissionSettings = AdmissionSettings()
    bake: BakeSettings = BakeSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    hooks: HookSettings = HookSettings()
    judge: JudgeSettings = JudgeSettings()
    series: dict[Id, SeriesSettings] = Field(default_factory=dict)
    build: BuildSettings | None = None
    tests: dict[Id, StageSettings] = Field(default_factory=dict)
    notify: dict[Id, NotifySettings] = Field(default_factory=dict)
    nodes: Annotated[dict[Id, NodeSettings], Field(min_length=1)]

    @field_validator("batch")
    @classmethod
    def _is_a_number_or_a_percentage(cls, batch: int | str | None) -> int | str | None:
        is_number = batch is None or (isinstance(batch, int) and batch >= 1)
        if not is_number and not re.fullmatch(r"[0-9]{1,3}%", str(batch)):
            raise ValueError(f"{batch!r} is neither a number of nodes nor a percentage like '25%'")
        return batch

    @model_validator(mode="after")
    def _min_healthy_leaves_a_node_to_update(self) -> "AppSettings":
        share(self.min_healthy, len(self.nodes))
        return self

    @field_validator("nodes")
    @classmethod
    def _nodes_are_different_tomcats(cls, nodes: dict[Id, NodeSettings]) -> dict[Id, NodeSettings]:
        need_different_tomcats(nodes)
        return nodes

    @field_validator("context")
    @classmethod
    def _is_not_the_manager(cls, context: str | None) -> str | None:
        if context in ("/manager", "/host-manager"):
            raise ValueError(f"{context} is Tomcat's own: a deployment would replace it")
        return context

    @model_validator(mode="after")
    def _nodes_fit_the_strategy(self) -> "AppSettings":
        for name, node in self.nodes.items():
            if self.strategy is Strategy.RESTART:
                if node.reach is ReachBy.MANAGER:
                    raise ValueError(
                        f"nodes.{name}: strategy = 'restart' can't be used with reach = 'manager'"
                    )
                if not (node.stop and node.start and node.running):
                    raise ValueError(
                        f"nodes.{name}: strategy = 'restart' needs stop, start and running"
                    )
            elif node.manager is None:
                raise ValueError(
                    f"nodes.{name}: strategy = '{self.strategy}' needs a `manager` table"
                )
            if self.sessions is Sessions.WAIT and node.manager is None:
                raise ValueError(
                    f"nodes.{name}: sessions = 'wait' needs a `manager` table: the Manager counts"
                    " the sessions"
                )
        return self

    @model_validator(mode="after")
    def _can_prove_its_release(self) -> "AppSettings":
        if self.marker.read is not MarkerSource.MANIFEST:
            return self
        if self.strategy is Strategy.PARALLEL:
            raise ValueError(
                "marker.read = 'manifest' can't distinguish the versions of strategy = 'parallel':"
                " use 'header', 'body' or 'json'"
            )
        for name, node in self.nodes.items():
            if node.reach is ReachBy.MANAGER:
                raise ValueError(
                    f"nodes.{name}: marker.read = 'manifest' needs the node's WAR, which"
                    " reach = 'manager' can't read: use 'header', 'body' or 'json'"
                )
        return self

    @model_validator(mode="after")
    def _sessions_fit_the_strategy(self) -> "AppSettings":
        if (self.sessions is Sessions.PARALLEL) != (self.strategy is Strategy.PARALLEL):
            raise ValueError("sessions = 'parallel' and strategy = 'parallel' must be set together")
        return self

    def at(self, context: str) -> "AppSettings":
        """Return these settings for the app at a context path, "" for the root."""
        return self.model_copy(update={"marker": self.marker.at(context)})

    def policy(self) -> Policy:
        """Return the rollout's policy."""
        count = len(self.nodes)
        min_healthy = share(self.min_healthy, count)
        return Policy(
            min_healthy=min_healthy,
            batch=batch_of(self.batch, count, min_healthy),
            canary=self.canary,
            headroom=self.headroom,
            sessions=self.sessions,
            sessions_shared=self.sessions_shared,
            canary_bake_s=self.bake.canary_s,
            batch_bake_s=self.bake.batch_s,
            last_bake_s=self.bake.last_s,
            hooks=frozenset(hook for hook in Hook if getattr(self.hooks, hook)),
            judge=self.judge_policy(),
            **self.deadlines.model_dump(),
        )

    def judge_policy(self) -> JudgePolicy:
        """Return the judge's policy, including the app's series."""
        series = {name: SeriesPolicy(one.tolerance) for name, one in self.series.items()}
        return replace(self.judge.policy(), series=series)

    def server_of(self, node: str) -> str:
        """Return the name of a node's server line in HAProxy's backend."""
        return self.nodes[node].server or node


def batch_of(text: int | str | None, nodes: int, min_healthy: int) -> int:
    """Convert `batch` to a number of nodes; a percentage is rounded down, but to at least one.

    The default, None, is as many as `min_healthy` allows; but of several nodes, one keeps serving.
    """
    if text is None:
        return max(1, nodes - max(1, min_healthy))
    return text if isinstance(text, int) else max(1, nodes * int(text[:-1]) // 100)
