"""The expected value of a business metric, derived from its history. Pure."""

from collections.abc import Mapping
from statistics import fmean

_DAY_S = 86_400
_DAYS = 14
_BINS_AROUND = 2
_BINS_BEFORE = 10
_MOST_BEFORE = 60

Bins = Mapping[int, float]  # by the Unix time at which they begin


def expected(bins: Bins, at: int, every_s: int, began_at: float) -> tuple[float | None, str]:
    """Return the expected count of the bin that begins at `at`, and what it is derived from.

    It is the mean of the same time on up to 14 earlier days, or else of the bins before the
    deployment that began at `began_at`. Return None if too little is known for either.
    """
    around = range(-_BINS_AROUND, _BINS_AROUND + 1)
    days = []
    for day in range(1, _DAYS + 1):
        then = [at - day * _DAY_S + step * every_s for step in around]
        found = [bins[one] for one in then if one in bins]
        if len(found) > _BINS_AROUND:
            days.append(fmean(found))
    if days:
        return fmean(days), f"the same time on {len(days)} earlier days"
    before = sorted(one for one in bins if one + every_s <= began_at)[-_MOST_BEFORE:]
    if len(before) >= _BINS_BEFORE:
        return fmean(bins[one] for one in before), f"{len(before)} bins before the deployment"
    return None, ""
