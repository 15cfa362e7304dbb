"""The reason for a verdict, as a clause that follows the release's name. Shown and spoken."""

from bigred_server.judge.tally import Tally

_NEARLY_ALL = 0.9
_FASTER = {0.5: "half of them", 0.9: "nine in ten", 0.99: "99 in 100"}


def failing(tally: Tally) -> str:
    """Describe how often and where the new release failed, compared with the old one."""
    if tally.failed == 0 and tally.probes_failed:
        return f"failed {tally.probes_failed} of {tally.probes} probe requests"
    if tally.failed == 0 and tally.retried:
        return _retried(tally)
    text = f"failed {tally.failed} of {tally.requests} requests{_nodes(tally)}{_path_group(tally)}"
    if tally.requests_old:
        text += f", compared with {tally.failed_old} of {tally.requests_old} on the old release"
    if tally.retried > tally.failed:
        text += f"; {tally.retried} more were retried"
    return text


def _retried(tally: Tally) -> str:
    """Describe failures that users did not see because HAProxy retried the requests."""
    text = f"failed {tally.retried} requests{_nodes(tally)} that HAProxy then retried"
    if not tally.requests_old:
        return text
    return f"{text}, compared with {tally.retried_old} on the old release"


def slower(tally: Tally, cut: float) -> str:
    """Describe how much slower the new release is than before, at one cut."""
    ours, asked, theirs, asked_old = tally.slow.get(cut, (0, 0, 0, 0))
    text = f"is slow: {ours} of {asked} requests{_nodes(tally)} took longer than "
    text += f"{_FASTER[cut]} used to"
    if not asked_old:
        return text
    return f"{text}, compared with {theirs} of {asked_old} on the old release"


def bad_everywhere(tally: Tally) -> str:
    """Describe too many failures that are not clearly more than those of the old release."""
    return (
        f"fails, perhaps because of its environment: {tally.failed} of {tally.requests} requests "
        f"failed, compared with {tally.failed_old} of {tally.requests_old} on the old release"
    )


def dropped(name: str, last: str) -> str:
    """Describe the drop of a business metric; `last`: its latest bin in words."""
    return f"came with a drop in {name}" + (f": {last}" if last else "")


def _nodes(tally: Tally) -> str:
    names = [name for name, (_, asked) in tally.nodes.items() if asked]
    match names:
        case [one]:
            return f" on {one}"
        case [*most, last] if len(names) <= 3:
            return f" on {', '.join(most)} and {last}"
        case _:
            return ""


def _path_group(tally: Tally) -> str:
    """Name the path group that nearly all errors belong to, or return ""."""
    total = sum(tally.where.values())
    if not total:
        return ""
    group, errors = max(tally.where.items(), key=lambda one: one[1])
    if errors < _NEARLY_ALL * total:
        return ""
    return f", {'all' if errors == total else 'nearly all'} of them on {group}"
