"""A simulated server line of HAProxy: its state, its checks and its requests in flight."""

from dataclasses import dataclass, field

from bigred_server.rollout.core.observation import Admin

RISE = 2
FALL = 2
FULL = RISE + FALL - 1


@dataclass
class SimulatedServer:
    """One `server` with rise 2 and fall 2. `closed_at_s`: since when it has been in MAINT.

    `requests`: when each request in flight will be answered. `checks_disabled`: it is not checked.
    `maxconn`: how many requests it accepts at once, None for any number.
    """

    admin: Admin = Admin.READY
    health: int = FULL
    closed_at_s: float | None = None
    requests: list[float] = field(default_factory=list)
    checks_disabled: bool = False
    maxconn: int | None = None

    @property
    def up(self) -> bool:
        """Whether the row shows UP, which it never does in DRAIN or MAINT."""
        return self.admin is Admin.READY and self.health >= RISE

    @property
    def fresh(self) -> bool:
        """Whether the row shows a check that passes fully."""
        return self.health == FULL

    @property
    def accepts_new_users(self) -> bool:
        """Whether HAProxy sends any user here."""
        return self.up

    @property
    def accepts_sticky_users(self) -> bool:
        """Whether HAProxy sends users here whose cookie names this server."""
        return self.admin is not Admin.MAINT and self.health >= RISE

    def set(self, admin: Admin, now_s: float) -> None:
        """Set the administrative state, and enable checks.

        On leaving MAINT, a server is up and not yet confirmed.
        """
        self.checks_disabled = False
        if self.admin is Admin.MAINT and admin is not Admin.MAINT:
            self.health = RISE
        if admin is not Admin.MAINT:
            self.closed_at_s = None
        elif self.admin is not Admin.MAINT:
            self.closed_at_s = now_s
        self.admin = admin

    def prove(self, now_s: float) -> bool:
        """Return whether it may become READY now; if not, it must first pass a check in DRAIN."""
        if self.admin is Admin.READY:
            return True
        if self.admin is Admin.MAINT or self.checks_disabled:
            self.set(Admin.MAINT, now_s)
            self.set(Admin.DRAIN, now_s)
        return self.fresh

    def forget(self) -> None:
        """Reset to the state after HAProxy's restart: in the pool, up, unconfirmed, no requests."""
        self.set(Admin.READY, 0.0)
        self.health = RISE
        self.requests.clear()

    def check(self, *, passes: bool) -> None:
        """Process the result of one check; there is none in MAINT, or while checks are disabled."""
        if self.admin is Admin.MAINT or self.checks_disabled:
            return
        if passes:
            self.health = self.health + 1 if self.health < RISE - 1 else FULL
        else:
            self.health = self.health - 1 if self.health > RISE else 0

    def answer_due(self, now_s: float, *, process_is_gone: bool) -> None:
        """End the requests that are answered by now, or all if their process is gone."""
        self.requests = [] if process_is_gone else [end for end in self.requests if end > now_s]
