"""RabbitMQ 4 as Debian 13 has it, in a root of its own, with its MQTT plugin."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bigred_broker.program import free_port, is_listening, running
from bigred_broker.settings import BrokerSettings

START_S = 120.0
_READY = b"Server startup complete"
_CONFIG = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = true
"""
# Run as the first process of a namespace: whatever RabbitMQ starts ends with it.
_START = """\
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 1
exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/rabbitmq \\
  ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$2" RABBITMQ_DIST_PORT="$3" \\
  RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_LOGS=- /usr/lib/rabbitmq/bin/rabbitmq-server
"""


@contextlib.contextmanager
def rabbitmq(root: Path, log: Path) -> Iterator[BrokerSettings]:
    """Run RabbitMQ, with nothing kept from before, on loopback ports until the block ends."""
    port, epmd, distribution = free_port(), free_port(), free_port()
    shutil.rmtree(root / "var/lib/rabbitmq/mnesia", ignore_errors=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/rabbitmq/rabbitmq.conf").write_text(_CONFIG.format(port=port))
    (root / "etc/rabbitmq/enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    command = [*unshare, "sh", "-c", _START, "sh", str(root), str(epmd), str(distribution)]

    def is_ready() -> bool:
        # It listens before it is ready, and then refuses subscriptions or loses them.
        return _READY in log.read_bytes() and is_listening(port)

    with running("rabbitmq", command, log, is_ready, START_S):
        yield BrokerSettings(port=port)
