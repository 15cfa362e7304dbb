"""What Tomcat's files show about sessions and start-up. Pure: works on their text."""

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.tomcat import Element, parsed

CONTEXT_XML = "conf/context.xml"
_NO_SESSIONS_KEPT = (10, 1)


def context(
    where: str, texts: list[str], version: tuple[int, int] | None, *, nodes: int, shared: bool
) -> list[Finding]:
    """Check conf/context.xml, and the parts of server.xml that concern sessions.

    `shared`: whether the configuration says that the Tomcats share their sessions.
    """
    where = f"{where}, {CONTEXT_XML}"
    roots = [root for root in map(parsed, texts) if root is not None]
    if not roots:
        fix = f"check by hand: Manager and JarScanner in {CONTEXT_XML}"
        return [Finding("tomcat-sessions", Severity.UNKNOWN, where, "it can't be read", fix)]
    return [_sessions(where, roots, version, nodes, shared=shared), _jars(where, roots)]


def _sessions(
    where: str, roots: list[Element], version: tuple[int, int] | None, nodes: int, *, shared: bool
) -> Finding:
    code = "tomcat-sessions"
    managers = [one for root in roots for one in root.iter("Manager")]
    sharing = [one for root in roots for one in root.iter("Cluster")]
    sharing += [one for one in managers if one.get("className") or len(one)]
    if shared and not sharing:
        text = "`sessions_shared = true`, but there is neither a Cluster nor a Manager with a store"
        fix = "set up one of the two, or remove `sessions_shared`"
        return Finding(code, Severity.WARN, where, text, fix)
    if shared:
        return Finding(code, Severity.OK, where, "sessions are shared")
    kept = any(one.get("pathname") for one in managers)
    kept_by_default = version is not None and version < _NO_SESSIONS_KEPT and not managers
    if nodes == 1 and not kept and not kept_by_default and version is not None:
        text = "every restart loses the sessions: since 10.1 Tomcat does not keep them by default"
        fix = 'set: <Manager pathname="SESSIONS.ser"/>'
        return Finding(code, Severity.WARN, where, text, fix)
    return Finding(code, Severity.OK, where, "each node keeps its own sessions")


def _jars(where: str, roots: list[Element]) -> Finding:
    code = "tomcat-jars"
    if any(True for root in roots for _ in root.iter("JarScanner")):
        return Finding(code, Severity.OK, where, "a JarScanner limits which jars are scanned")
    text = "all jars are scanned, often the largest part of a cold start"
    fix = "optional: set a JarScanFilter, unless jars contain JSP tag libraries or annotations"
    return Finding(code, Severity.OK, where, text, fix)
