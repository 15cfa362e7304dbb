"""Check the MQTT broker: it answers, and it can do what the boxes need.

Deployments from a terminal work without it, so none of this is worse than a warning.
"""

from bigred_broker.examination import examine
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.doctor.finding import Finding, Severity

_CODE = "broker"
_EFFECT = {
    True: "no button works",
    False: "a message that is late arrives all the same",
}


async def check(broker: BrokerSettings) -> list[Finding]:
    """Examine the broker as the server uses it."""
    where = f"broker at {broker.host}:{broker.port}"
    faults = await examine(broker, Topics(broker.prefix).server_doctor)
    if not faults:
        return [Finding(_CODE, Severity.OK, where, "it answers, and keeps what it should")]
    return [
        Finding(_CODE, Severity.WARN, where, f"it {one.seen}: {_EFFECT[one.serious]}", one.fix)
        for one in faults
    ]
