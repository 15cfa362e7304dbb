"""One server of the fake HAProxy: its health, its check and its status, as observed in 2.6."""

from dataclasses import dataclass

MAINT_BIT = 0x01
DRAIN_BIT = 0x08
_CHECK_CONFIGURED, _CHECK_ENABLED, _CHECK_PAUSED = 0x02, 0x04, 0x08


@dataclass
class FakeServer:
    """A `server` line with `check rise R fall F`, or without a check (`checked` is False).

    `op`: whether HAProxy takes the server for up. It follows the health with each check, and stays
    as it is while `checks_disabled`. `paused`: the check rests because it was enabled when MAINT
    was set.
    """

    rise: int = 2
    fall: int = 2
    checked: bool = True
    state: str = "ready"
    health: int = 3
    check_status: str = "L7OK"
    scur: int = 0
    qcur: int = 0
    maxconn: int | None = None
    checks_disabled: bool = False
    paused: bool = False
    op: bool = True
    address: str = ""

    @property
    def full(self) -> int:
        """The health of a server whose check passes fully."""
        return self.rise + self.fall - 1

    @property
    def is_watched(self) -> bool:
        """Whether it has a check that is enabled."""
        return self.checked and not self.checks_disabled

    @property
    def status(self) -> str:
        """The status of the row, with "1/2" while a change is not confirmed."""
        if self.state == "maint":
            return "MAINT"
        word = "DRAIN" if self.state == "drain" else "UP"
        if not self.op:
            return f"DOWN {self.health}/{self.rise}" if self.health else "DOWN"
        if not self.is_watched:
            return word if self.state == "drain" else "no check"
        passed = self.health - self.rise + 1
        return word if self.health >= self.full else f"{word} {passed}/{self.fall}"

    @property
    def check_state(self) -> int:
        """The bits of `srv_check_state`."""
        if not self.checked:
            return 0
        enabled = 0 if self.checks_disabled else _CHECK_ENABLED
        return _CHECK_CONFIGURED | enabled | (_CHECK_PAUSED if self.paused else 0)

    def set(self, state: str) -> None:
        """Set the state. On leaving MAINT, it is up, unconfirmed, and shows its *old* check.

        If the check is disabled then, it is not even unconfirmed: its health stays 0 and it is up.
        """
        if state == "maint" and self.state != "maint":
            self.health, self.op, self.paused = 0, False, self.is_watched
        elif self.state == "maint" and state != "maint":
            self.health = self.rise if self.is_watched else self.health
            self.op, self.paused = True, False
        self.state = state

    def check(self, *, passes: bool) -> None:
        """Run one check; there is none in MAINT, and none while checks are disabled.

        A check that was disabled when MAINT was set and enabled since runs even in MAINT.
        """
        if self.paused or not self.is_watched:
            return
        self.check_status = "L7OK" if passes else "L7STS"
        if passes:
            self.health = self.health + 1 if self.health < self.rise - 1 else self.full
        else:
            self.health = self.health - 1 if self.health > self.rise else 0
        self.op = self.state != "maint" and self.health >= self.rise

    def restart(self) -> None:
        """Reset to the state after HAProxy's start: in the pool, and no check has run."""
        self.state, self.health, self.op, self.check_status = "ready", self.rise, True, "INI"
        self.checks_disabled = self.paused = False
        self.scur = self.qcur = 0

    def columns(self) -> dict[str, object]:
        """Return its columns of `show stat`."""
        values = {"scur": self.scur, "qcur": self.qcur, "stot": 0, "status": self.status, "type": 2}
        limit = {} if self.maxconn is None else {"slim": self.maxconn}
        if self.is_watched and not self.paused:
            check = {"check_status": self.check_status, "check_health": self.health}
            values |= {**check, "check_rise": self.rise, "check_fall": self.fall}
        return {**values, **limit, "addr": self.address}

    def line(self, backend: str, number: int, name: str) -> str:
        """Return its line of `show servers state`."""
        bits = {"maint": MAINT_BIT, "drain": DRAIN_BIT}.get(self.state, 0)
        host, _, port = self.address.rpartition(":")
        up = 2 if self.op else 0
        return (
            f"3 {backend} {number} {name} {host.strip('[]') or '-'} {up} {bits} 1 1 1 6 3 "
            f"{self.health} {self.check_state} 0 0 0 - {port or 0} - 0 0 - - 0"
        )
