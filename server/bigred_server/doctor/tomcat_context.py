"""What a Tomcat's files tell of sessions and of its start, judged: pure, from their text."""

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.tomcat import Element, parsed

CONTEXT_XML = "conf/context.xml"
_NO_SESSIONS_KEPT = (10, 1)


def context(
    where: str, texts: list[str], version: tuple[int, int] | None, *, nodes: int, shared: bool
) -> list[Finding]:
    """Judge conf/context.xml, and server.xml as far as it is about sessions.

    `shared`: the configuration says that the Tomcats share their sessions.
    """
    where = f"{where}, {CONTEXT_XML}"
    roots = [root for root in map(parsed, texts) if root is not None]
    if not roots:
        mend = f"look by hand at {CONTEXT_XML}: Manager, JarScanner"
        return [Finding("tomcat-sessions", Severity.UNKNOWN, where, "it can't be read", mend)]
    return [_sessions(where, roots, version, nodes, shared=shared), _jars(where, roots)]


def _sessions(
    where: str, roots: list[Element], version: tuple[int, int] | None, nodes: int, *, shared: bool
) -> Finding:
    code = "tomcat-sessions"
    managers = [one for root in roots for one in root.iter("Manager")]
    together = [one for root in roots for one in root.iter("Cluster")]
    together += [one for one in managers if one.get("className") or len(one)]
    if shared and not together:
        text = "`sessions_shared = true`, but no Cluster and no Manager with a store is here"
        return Finding(code, Severity.WARN, where, text, "set up one of the two, or take it out")
    if shared:
        return Finding(code, Severity.OK, where, "sessions are shared")
    kept = any(one.get("pathname") for one in managers)
    kept_by_default = version is not None and version < _NO_SESSIONS_KEPT and not managers
    if nodes == 1 and not kept and not kept_by_default and version is not None:
        text = "sessions end with each restart: from 10.1 on Tomcat keeps none by itself"
        return Finding(
            code, Severity.WARN, where, text, 'write: <Manager pathname="SESSIONS.ser"/>'
        )
    return Finding(code, Severity.OK, where, "sessions live and end with their node")


def _jars(where: str, roots: list[Element]) -> Finding:
    code = "tomcat-jars"
    if any(True for root in roots for _ in root.iter("JarScanner")):
        return Finding(code, Severity.OK, where, "the jar scanner is told what to search")
    text = "all jars are searched: often the largest part of a cold start"
    mend = "advice: a JarScanFilter; not with JSP tag libraries or annotations in jars"
    return Finding(code, Severity.OK, where, text, mend)
