"""The inspection of a simulated deployment that has ended: what is wrong."""

from dataclasses import dataclass
from random import Random

from tests.support.aftercare import Aftercare
from tests.support.scene import FOREVER, NEW, OLD, Scene

from bigred_broker.messages import Phase
from bigred_server.model.hook import Hook
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.node_phase import is_proven
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.target import Strategy
from bigred_server.testing.simulation import SimulatedBuild, SimulatedRollout


@dataclass
class Inspection:
    """Inspects the fleet as it really is."""

    rollout: SimulatedRollout
    scene: Scene

    def complaints(self) -> list[str]:
        """Name everything that is wrong at the end of the run."""
        found: list[str] = []
        if not self.rollout.has_ended:
            return [f"no end: {self.rollout.deployment.record.phase}"]
        deployment, reason = self.rollout.deployment, self.rollout.reason
        match deployment.record.phase:
            case Phase.SUCCEEDED:
                found += self._not_on(NEW[self.scene.kind]) + self._not_out()
            case Phase.ROLLED_BACK:
                found += self._not_on(OLD)
            case Phase.ABORTED:
                found += [f"aborted after {action.kind}" for action in self.rollout.fleet.actions]
            case _ if not reason:
                found.append("failed without a reason")
            case _ if not self.scene.first:
                out = self._not_on(OLD)
                found += [f"unnamed {text}" for text in out if text.split(":")[0] not in reason]
        return found + self._wrong_hooks()

    def _wrong_hooks(self) -> list[str]:
        phase, hooks = self.rollout.deployment.record.phase, self.rollout.hooks
        ended_badly = phase in (Phase.FAILED, Phase.ROLLED_BACK)
        found = []
        if Hook.ON_FAILURE in hooks.states and not ended_badly:
            found.append(f"on_failure was run, and it {phase}")
        wanted = Hook.ON_FAILURE in self.rollout.fleet.policy.hooks and ended_badly
        if wanted and Hook.ON_FAILURE not in hooks.states:
            found.append("on_failure was not run")
        if phase is Phase.SUCCEEDED:
            found += [f"{hook} was not run" for hook in self._due() if hook not in hooks.states]
        return found

    def _due(self) -> set[Hook]:
        return {Hook.BEFORE, Hook.AFTER} & self.rollout.fleet.policy.hooks

    def _not_on(self, build: SimulatedBuild) -> list[str]:
        deployment, looks = self.rollout.deployment, self.rollout.at_end
        target = build.wanted(self.scene.strategy)
        return [
            f"{name}: {looks[name]}"
            for name in deployment.record.nodes
            if build is OLD or name not in deployment.record.set_aside
            if not is_serving(looks[name]) or not is_proven(looks[name], target)
        ]

    def _not_out(self) -> list[str]:
        looks, left_out = self.rollout.at_end, self.rollout.deployment.record.set_aside
        return [f"{name} is in the pool" for name in left_out if is_serving(looks[name])]

    def left_behind(self, random: Random) -> list[str]:
        """Run maintenance once all faults have ended; name the nodes that it leaves behind."""
        live = (
            NEW[self.scene.kind] if self.rollout.deployment.record.phase is Phase.SUCCEEDED else OLD
        )
        healthy = live.starts and live.ok and live.passes and live.lives_s == FOREVER
        if self.scene.first or not healthy or live.says:
            return []
        aftercare = Aftercare(self.rollout, live.wanted(self.scene.strategy), random)
        looks: Looks = aftercare.work()
        left = [*self.rollout.deployment.record.skipped, *self.rollout.deployment.record.set_aside]
        return [
            f"{name} was left: {looks[name]}"
            for name in left
            if not self._is_beyond_help(name, looks)
            if name in self.rollout.deployment.record.set_aside or is_serving(looks[name])
            if not is_serving(looks[name]) or not is_proven(looks[name], aftercare.live)
        ]

    def _is_beyond_help(self, name: str, looks: Looks) -> bool:
        """Return whether only a person on the machine can help.

        That is so if only HTTP reaches a node whose Tomcat does not stay up, and if a version that
        ends its Tomcat is deployed alongside the others: every start loads it again.
        """
        wars = self.rollout.fleet.nodes[name].wars.values()
        kills = any(self.scene.builds[digest].lives_s < FOREVER for digest in wars)
        beside = self.scene.strategy is Strategy.PARALLEL
        return looks[name].host.digest is None or (kills and beside)
