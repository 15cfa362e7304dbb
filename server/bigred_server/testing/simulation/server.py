"""A simulated server line of HAProxy: what it was told, its checks, its requests in flight."""

from dataclasses import dataclass, field

from bigred_server.rollout.core.observation import Admin

RISE = 2
FALL = 2
FULL = RISE + FALL - 1


@dataclass
class SimulatedServer:
    """One `server` with rise 2 and fall 2. `closed_at_s`: since when it is in MAINT, if it is.

    `requests` holds when each request in flight will have been answered. `hushed`: it is not
    checked. `maxconn`: how many it takes at once, None for any number.
    """

    admin: Admin = Admin.READY
    health: int = FULL
    closed_at_s: float | None = None
    requests: list[float] = field(default_factory=list)
    checks_disabled: bool = False
    maxconn: int | None = None

    @property
    def up(self) -> bool:
        """Whether the row shows UP: it does neither in DRAIN nor in MAINT."""
        return self.admin is Admin.READY and self.health >= RISE

    @property
    def fresh(self) -> bool:
        """Whether the row shows a check that passes fully."""
        return self.health == FULL

    @property
    def accepts_new_users(self) -> bool:
        """Whether any user may be sent here."""
        return self.up

    @property
    def accepts_sticky_users(self) -> bool:
        """Whether users whose cookie names this server are sent here."""
        return self.admin is not Admin.MAINT and self.health >= RISE

    def set(self, admin: Admin, now_s: float) -> None:
        """Set the administrative state, and check it again if it was hushed.

        On leaving MAINT a server is up, and not yet confirmed.
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
        """Say whether it may become READY at once; else it has its check to pass, in DRAIN."""
        if self.admin is Admin.READY:
            return True
        if self.admin is Admin.MAINT or self.checks_disabled:
            self.set(Admin.MAINT, now_s)
            self.set(Admin.DRAIN, now_s)
        return self.fresh

    def forget(self) -> None:
        """Be as after a restart of HAProxy: in the pool, up, unconfirmed, without requests."""
        self.set(Admin.READY, 0.0)
        self.health = RISE
        self.requests.clear()

    def check(self, *, passes: bool) -> None:
        """Take in the result of one check; there is none in MAINT, nor of a hushed server."""
        if self.admin is Admin.MAINT or self.checks_disabled:
            return
        if passes:
            self.health = self.health + 1 if self.health < RISE - 1 else FULL
        else:
            self.health = self.health - 1 if self.health > RISE else 0

    def answer_due(self, now_s: float, *, process_is_gone: bool) -> None:
        """End the requests that were answered by now, or were cut with their process."""
        self.requests = [] if process_is_gone else [end for end in self.requests if end > now_s]
