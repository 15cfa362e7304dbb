"""A simulated node: a machine with WARs on its disk and perhaps a running Tomcat."""

from collections.abc import Mapping

from bigred_server.rollout.core.context_version import digest_of, newest
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Answer, Version
from bigred_server.testing.simulation.build import SimulatedBuild
from bigred_server.testing.simulation.context import Context

# From the start of Tomcat's process until its port opens.
_PORT_S = 0.5
_NOT_FOUND = Answer(came=True, text="status 404")


class SimulatedNode:
    """One machine. Times are seconds of the fleet's clock.

    `wars`: digests by Tomcat's version ("" for the WAR without one); `contexts`: those that the
    process loaded, None if there is no process. `kept`: the releases kept on the node, None if only
    HTTP reaches it: then its bytes can't be read, and it can't be started. `free`: bytes on its
    disk. `remembered`: the digest that the server last deployed there, if it can't read it.
    `stopping`: the process was asked to stop and accepts no more requests. `alive`: False while the
    whole machine is gone. `hangs`: the app runs but answers nothing.
    """

    def __init__(
        self, builds: Mapping[str, SimulatedBuild], digest: str, running: str | None
    ) -> None:
        self.builds = builds
        self.wars = {"": digest} if digest else {}
        self.contexts: dict[str, Context] | None = None
        self.kept: set[str] | None = {digest} if digest else set()
        self.free = 1 << 40
        self.has_manager = False
        self.is_parallel = False
        self.remembered = ""
        self.started_at_s = float("-inf")
        self.stopping = self.hangs = False
        self.alive = True
        if running is not None:
            self.contexts = {"": Context(running, float("-inf"), float("-inf"))} if running else {}

    @property
    def digest(self) -> str:
        """The digest of the WAR without a version, "" for none."""
        return self.wars.get("", "")

    @digest.setter
    def digest(self, digest: str) -> None:
        self.wars = {"": digest} if digest else {}

    @property
    def running(self) -> str | None:
        """The digest that the process loaded for new users; None without a process."""
        if self.contexts is None:
            return None
        return self.contexts[max(self.contexts)].digest if self.contexts else ""

    def front(self, now_s: float) -> Context | None:
        """Return the context that new users get, None if there is none."""
        ready = {name: one for name, one in (self.contexts or {}).items() if one.is_ready(now_s)}
        return ready[max(ready)] if ready else None

    def age(self, now_s: float) -> None:
        """End sessions whose time is up, and the process if one of its builds dies."""
        for one in (self.contexts or {}).values():
            one.age(now_s)
            build = self.builds.get(one.digest)
            if build and now_s - one.since_s >= build.lives_s < float("inf"):
                self.end()
                return

    def start(self, now_s: float) -> None:
        """Start Tomcat with the WARs on its disk; do nothing if it is running."""
        if self.contexts is not None:
            return
        self.started_at_s, self.stopping, self.hangs = now_s, False, False
        self.contexts = {
            name: Context(digest, now_s, now_s + self.builds[digest].start_s)
            for name, digest in self.wars.items()
        }

    def deploy(self, name: str, digest: str, now_s: float) -> str:
        """Make the Manager deploy a WAR and start it; return why it failed, or ""."""
        if self.contexts is None or self.hangs:
            return "the Manager does not answer"
        self.wars[name] = digest
        starts = self.builds[digest].starts
        self.contexts[name] = Context(digest, now_s, now_s, works=starts)
        self.remembered = digest if starts else ""
        return "" if starts else "context failed to start"

    def undeploy(self, name: str) -> str:
        """Make the Manager remove a version; return why it failed, or ""."""
        if self.contexts is None or self.hangs:
            return "the Manager does not answer"
        self.wars.pop(name, None)
        self.contexts.pop(name, None)
        return ""

    def end(self) -> None:
        """End the process."""
        self.contexts, self.stopping, self.hangs = None, False, False
        self.remembered = ""

    def die(self) -> None:
        """Make the machine disappear, and the process with it."""
        self.alive = False
        self.end()

    def answer(self, now_s: float) -> Answer:
        """Return the app's answer on the node's own port."""
        if self.contexts is None or not self.alive or self.stopping or self.hangs:
            return Answer()
        if (first := self.front(now_s)) is not None:
            build = self.builds.get(first.digest)
            return build.answer if build else _NOT_FOUND
        is_starting = any(one.works for one in self.contexts.values())
        is_up = now_s - self.started_at_s >= _PORT_S and not is_starting
        return _NOT_FOUND if is_up else Answer()

    def passes(self, now_s: float) -> bool:
        """Return whether HAProxy's check passes."""
        first = self.front(now_s)
        build = self.builds.get(first.digest) if first else None
        return build is not None and build.passes and self.answer(now_s).came

    def versions(self, now_s: float) -> tuple[Version, ...] | None:
        """Return the contexts as the Manager lists them, None while it does not answer."""
        silent = self.contexts is None or not self.alive or self.stopping or self.hangs
        if silent or not self.has_manager or now_s - self.started_at_s < _PORT_S:
            return None
        return tuple(
            Version(name, digest_of(name), one.is_ready(now_s), len(one.sessions))
            for name, one in sorted((self.contexts or {}).items())
        )

    def seen_digest(self, now_s: float) -> str | None:
        """Return the digest that a look shows."""
        if self.kept is not None and not self.is_parallel:
            return self.digest if self.alive else None
        versions = self.versions(now_s)
        if versions is None:
            is_stopped = self.kept is not None and self.alive and self.contexts is None
            return "" if is_stopped else None
        first = newest(versions)
        if first is None:
            return UNKNOWN_DIGEST if versions and not self.is_parallel else ""
        if first.name:
            return first.digest
        if self.kept is not None:
            return self.digest
        return self.remembered or self._recognised(now_s)

    def _recognised(self, now_s: float) -> str:
        """Return the digest of an unreadable WAR by the app's answer, if that is known."""
        answer = self.answer(now_s)
        known = {build.marker: digest for digest, build in self.builds.items()}
        return known.get(answer.marker, UNKNOWN_DIGEST) if answer.ok else UNKNOWN_DIGEST

    def seen_running(self, now_s: float) -> bool | None:
        """Return whether a look shows Tomcat's process, None if it can't tell."""
        if self.answer(now_s).came or self.versions(now_s) is not None:
            return True
        if self.kept is None or not self.alive:
            return None
        return self.contexts is not None
