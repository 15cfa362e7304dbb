"""One observation of a backend in one HAProxy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.haproxy.rows import ServerRow
from bigred_server.haproxy.tables import Process
from bigred_server.rollout.core.observation import Counters


@dataclass(frozen=True)
class BackendLook:
    """One observation of a backend. A new `process` means HAProxy was reloaded or restarted.

    `queued`: requests waiting for any of the servers. `is_tcp`: HAProxy passes on connections there
    and sees no requests. `sharing`: by each other backend, those of its servers that are Tomcats of
    this one.
    """

    process: Process
    servers: dict[str, ServerRow]
    counters: Counters
    queued: int = 0
    is_tcp: bool = False
    sharing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
