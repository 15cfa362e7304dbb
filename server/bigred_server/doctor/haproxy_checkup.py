"""The check-up of one HAProxy: its process, the app's backends, its configuration file and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.doctor import haproxy, haproxy_faults, haproxy_log, listeners
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.server_lines import look_at
from bigred_server.haproxy.survey import is_local, survey
from bigred_server.settings import AppSettings


@dataclass(frozen=True)
class HaproxyCheckup:
    """The findings of one HAProxy; `looks`: at the app's backends, `proxy`: of the first one."""

    address: str
    findings: list[Finding]
    looks: Mapping[str, BackendLook] = field(default_factory=dict)
    proxy: Proxy | None = None


async def check(app: AppSettings, address: str, log_at: str) -> HaproxyCheckup:
    """Check the HAProxy with the Runtime API at `address`; `log_at`: where its log should go."""
    where = f"HAProxy at {address}"
    try:
        seen = await survey(address)
        first, *others = await look_at(*(Backend(address, name) for name in app.haproxy.backends))
    except HaproxyError as error:
        fix = "fix this first: while a HAProxy can't be read, no node is touched"
        return HaproxyCheckup(address, [Finding("haproxy", Severity.BAD, where, str(error), fix)])
    configured = [app.server_of(name) for name in app.nodes]
    findings = haproxy.process(seen)
    findings += haproxy.missing(f"{where}, backend {first.backend}", first.look, configured)
    looks = {one.backend: one.look for one in (first, *others)}
    proxies = {name: seen.proxy(name) for name in looks}
    for one in (first, *others):
        name, backend = one.backend, f"{where}, backend {one.backend}"
        lines = [line for server in configured for line in one.names.get(server, ())]
        findings += haproxy.servers(backend, one.look, lines)
        findings += haproxy_faults.of_backend(app, seen, name)
        findings += haproxy_log.in_file(backend, proxies[name], log_at)
    if is_local(address):
        binds = [bind for proxy in proxies.values() if proxy for bind in proxy.binds]
        findings += listeners.check(where, binds)
    return HaproxyCheckup(address, findings, looks, proxies[first.backend])
