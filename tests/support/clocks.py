"""Events that name the time by a server's clock, as a box does."""

from bigred_broker.messages import ServerClock
from bigred_server.clock import boot_clock_s


def clocks(run: str = "run-1", ago_s: float = 0.0) -> tuple[ServerClock, ...]:
    """Return what the clock of a server on this machine showed a while ago."""
    return (ServerClock(run=run, at_ms=(boot_clock_s() - ago_s) * 1000),)
