"""Why a node gets no new users, in words for people. Pure."""

from bigred_server.rollout.core.observation import Admin, NodeLook, OutBecause, ServerRole

_BECAUSE = {
    OutBecause.COMMANDED: "",
    OutBecause.DISABLED: ", which its server line in HAProxy's configuration asks for",
    OutBecause.FOLLOWED: ", like the server that it tracks",
    OutBecause.UNRESOLVED: ": HAProxy has no address for its name",
}
_BY_HAND = frozenset({OutBecause.COMMANDED, OutBecause.DISABLED})


def why(look: NodeLook) -> str:
    """Return why HAProxy sends a node no new users, and what a person can do; "" if it does.

    A node in MAINT whose Tomcat answers is not down: somebody has to put it back.
    """
    pool = look.pool
    if pool.admin is Admin.MIXED:
        out = ", ".join(name for name, serves in pool.backends.items() if not serves)
        where = f": not in {out}" if out else ""
        return (
            f"it is only partly in service{where}; put it back with: bigred node ready {look.name}"
        )
    if pool.admin in (Admin.MAINT, Admin.DRAIN):
        because = pool.because or OutBecause.COMMANDED
        text = f"it is in {pool.admin.upper()}{_BECAUSE[because]}"
        if because not in _BY_HAND:
            return text
        answers = ", although its app answers" if look.answer.ok else ""
        return f"{text}{answers}; put it back with: bigred node ready {look.name}"
    if pool.admin is Admin.READY and not pool.up:
        shown = f"{pool.status} {pool.check}".strip()
        return f"HAProxy reports it down{f': {shown}' if shown else ''}"
    if pool.admin is Admin.READY and pool.role is ServerRole.UNWEIGHTED:
        return "its weight is 0"
    return ""
