"""Check that Tomcat serves a node's WAR under the context path of its app."""

from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.node import read
from bigred_server.model import context_path
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AppSettings, ReachBy


def of_nodes(name: str, app: AppSettings, context: str) -> list[Finding]:
    """Check the WAR of each node that has one; `name`: that of the app."""
    findings = []
    for node_name, one in app.nodes.items():
        if one.war is not None:
            descriptor = None
            if one.reach is ReachBy.LOCAL:
                descriptor, _ = read(one.war.parent.parent / descriptor_of(context))
            where = f"{name}/{node_name}"
            findings.append(check(where, one.war, context, app.strategy, descriptor))
    return findings


def check(
    where: str, war: Path, context: str, strategy: Strategy, descriptor: str | None
) -> Finding:
    """Compare the name of a WAR with the context path, "" for the root.

    `descriptor`: the text of the file that Tomcat would take instead, None if there is none.
    """
    code, wanted = "war-name", context or "/"
    served = context_path.of_war(war.name)
    if served == context:
        return Finding(code, Severity.OK, where, f"Tomcat serves {war.name} under {wanted}")
    if descriptor is not None and war.stem in descriptor:
        text = f"{descriptor_of(context)} has Tomcat serve {war.name} under {wanted}"
        return Finding(code, Severity.OK, where, text)
    text = f"Tomcat serves {war.name} under {served or '/'}, but the app's context is {wanted}"
    if strategy is Strategy.RESTART:
        level, text = Severity.WARN, f"{text}, so its sessions are not counted"
    else:
        level, text = Severity.BAD, f"{text}, where the Manager deploys it"
    shown = f'"{served}"' if served else '"/"'
    name = f"{context_path.war_name(context)}.war"
    fix = f"set the app's context = {shown}, or end the node's `war` with {name}"
    return Finding(code, level, where, text, fix)


def listed(name: str, looks: Looks, context: str) -> list[Finding]:
    """Check that each Manager that lists the apps of its Tomcat knows one at the context path."""
    code, wanted = "tomcat-context-path", context or "/"
    findings = []
    for node, look in looks.items():
        where, versions = f"{name}/{node}", look.host.versions
        if versions:
            findings.append(Finding(code, Severity.OK, where, f"an app is deployed at {wanted}"))
        elif versions is not None and not look.problem:
            text = f"no app is deployed at {wanted}"
            fix = "correct the app's `context`, unless this is its first deployment"
            findings.append(Finding(code, Severity.WARN, where, text, fix))
    return findings


def descriptor_of(context: str) -> str:
    """Return the file, below CATALINA_BASE, that would name the WAR of a context path."""
    return f"conf/Catalina/localhost/{context_path.war_name(context)}.xml"
