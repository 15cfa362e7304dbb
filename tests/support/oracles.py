"""Other verdicts: the usual ways to judge a canary, applied at every look."""

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom, mannwhitneyu
from tests.support.worlds import LOOKS, Story

ALPHA = 0.01
_MINUTE_LOOKS = 12
_HALF_MINUTE_LOOKS = 6
_BAD = 0.01
_MOST = 2000


def fisher(story: Story) -> bool:
    """Fisher's exact test on all errors so far, at every look."""
    canary, failed = story.canary, story.failed
    asked, ours = _by_look(story, np.ones_like(failed)), _by_look(story, canary)
    bad, our_bad = _by_look(story, failed), _by_look(story, failed & canary)
    total, wrong, drawn, seen = (np.cumsum(one) for one in (asked, bad, ours, our_bad))
    p = hypergeom.sf(seen - 1, total, wrong, drawn)
    return bool(np.any((p < ALPHA) & (seen > 0)))


def threshold(story: Story) -> bool:
    """More than 1 % errors at the canary in any minute."""
    ours = _by_look(story, story.canary).reshape(-1, _MINUTE_LOOKS).sum(axis=1)
    bad = _by_look(story, story.failed & story.canary).reshape(-1, _MINUTE_LOOKS).sum(axis=1)
    return bool(np.any(bad > _BAD * np.maximum(ours, 1)))


def mann_whitney(story: Story) -> bool:
    """The latency of the last half minute, canary against the others, every half minute."""
    for begin in range(0, LOOKS, _HALF_MINUTE_LOOKS):
        now = (story.look >= begin) & (story.look < begin + _HALF_MINUTE_LOOKS)
        ours = story.took_ms[now & story.canary][:_MOST]
        others = story.took_ms[now & ~story.canary][:_MOST]
        if min(len(ours), len(others)) < 5:
            continue
        if mannwhitneyu(ours, others, alternative="greater").pvalue < ALPHA:
            return True
    return False


def _by_look(story: Story, among: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.bincount(story.look[among.astype(np.bool_)], minlength=LOOKS)
