"""Why the judge speaks against a release: clauses that follow its name, and are spoken."""

from bigred_server.judge.tally import Tally

_NEARLY_ALL = 0.9
_FASTER = {0.5: "half of them", 0.9: "nine of ten", 0.99: "99 of 100"}


def failing(tally: Tally) -> str:
    """Say how much the new release failed, where, and how the old one did meanwhile."""
    if tally.failed == 0 and tally.probes_failed:
        return f"failed {tally.probes_failed} of {tally.probes} requests that were sent to try it"
    if tally.failed == 0 and tally.retried:
        return _saved(tally)
    text = f"failed {tally.failed} of {tally.requests} requests{_nodes(tally)}{_group(tally)}"
    if tally.requests_old:
        text += f", where the old release failed {tally.failed_old} of {tally.requests_old}"
    if tally.retried > tally.failed:
        text += f"; {tally.retried} more had to be tried again"
    return text


def _saved(tally: Tally) -> str:
    """Say what only HAProxy's further tries kept from users."""
    text = f"failed {tally.retried} requests{_nodes(tally)} that HAProxy then tried again"
    if not tally.requests_old:
        return text
    return f"{text}, where the old release failed {tally.retried_old}"


def slower(tally: Tally, cut: float) -> str:
    """Say how much slower the new release is: by the cut that speaks against it most."""
    ours, asked, theirs, asked_old = tally.slow.get(cut, (0, 0, 0, 0))
    text = f"is slow: {ours} of {asked} requests took longer than {_FASTER[cut]} used to"
    text += _nodes(tally)
    return f"{text}, with the old release {theirs} of {asked_old}" if asked_old else text


def bad_everywhere(tally: Tally) -> str:
    """Say that the environment is to blame."""
    return (
        "is not to blame, but its environment is bad: the new release failed "
        f"{tally.failed} of {tally.requests} requests, the old one {tally.failed_old} of "
        f"{tally.requests_old}"
    )


def dropped(name: str, last: str) -> str:
    """Say that a business metric fell."""
    return f"came with a drop of {name}" + (f": {last}" if last else "")


def _nodes(tally: Tally) -> str:
    names = [name for name, (_, asked) in tally.nodes.items() if asked]
    match names:
        case [one]:
            return f" on {one}"
        case [*most, last] if len(names) <= 3:
            return f" on {', '.join(most)} and {last}"
        case _:
            return ""


def _group(tally: Tally) -> str:
    """Name the path group that nearly all errors are of, if there is more than one asked for."""
    total = sum(tally.where.values())
    if not total:
        return ""
    group, errors = max(tally.where.items(), key=lambda one: one[1])
    if errors < _NEARLY_ALL * total:
        return ""
    return f", {'all' if errors == total else 'nearly all'} of them {group}"
