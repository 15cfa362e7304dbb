"""Processes of a site are killed and stopped while somebody pushes the button.

BIGRED_SIGNALS sets the number of moments for each process and signal (the benchmark `signals` does
it for hours); without it, a few strikes show that the rules hold and that the trial itself works.
"""

import os

import pytest
from tests.bench.signals import main
from tests.support.stage import stage
from tests.support.strikes import Blow, Strike, Target
from tests.support.trial import requests
from tests.support.trials import Trials

from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.sample import BuildKind

pytestmark = pytest.mark.alone

MOMENTS = int(os.environ.get("BIGRED_SIGNALS", "0"))
FEW = (
    Strike(1, Target.SERVER, Blow.KILL, 0.5, 0.2, "node1", BuildKind.GOOD, stops=False),
    Strike(2, Target.BOX, Blow.FREEZE, 0.4, 1.0, "node1", BuildKind.GOOD, stops=False),
)


def test_deployments_end_as_they_must_whichever_process_is_killed_or_stopped() -> None:
    with stage(2) as made:
        trials, site = Trials(made), made.rig.demo_site
        with shopping(site.folder, site.urls, LoadOptions(50.0)) as load:
            done = [trials.run(strike) for strike in FEW]
        samples = load.seen()
    for trial in done:
        assert trial.faults == []
        assert (trial.outcome, trial.strike.build) == ("succeeded", BuildKind.GOOD)
        assert requests(trial, samples).lost == 0
        assert requests(trial, samples).sent > 0
        assert trial.over_s > trial.struck_s > trial.begun_s
        assert trial.pushes
        assert trial.pushes[-1].begun_s is not None


@pytest.mark.skipif(not MOMENTS, reason="it takes hours; BIGRED_SIGNALS sets how many moments")
@pytest.mark.timeout(6 * 3600)
def test_deployments_end_as_they_must_at_many_moments() -> None:
    assert main(["--moments", str(MOMENTS)]) == 0
