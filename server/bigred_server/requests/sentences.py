"""The reasons for refusing a press; the box speaks them."""

from bigred_broker.messages import Refusal

PRESS_REFUSALS = {
    Refusal.NO_ARMING: "nothing is armed; close the lid and lift it again",
    Refusal.USED: "this arming was already used; close the lid and lift it again",
    Refusal.EXPIRED: "the arming has expired; close the lid and lift it again",
}
STALE = "it took too long to arrive; try again"
NO_CLOCK = "the box does not say when it was pressed; try again, or update the box"
NEW_SERVER = "the server has just started; try again"
CANDIDATE_GONE = "the announced release can no longer be deployed"
CANCELLED = "the lid was closed during the countdown"
JUST_FIRED = "it started a moment ago; press again to hold it"
JUST_CONTINUED = "it continued a moment ago; press again to hold it"
HELD_DOWN = "the button was held down"
BUSY = "the server could not write its journal; try again"


def unknown_box(box: str) -> str:
    """Return the reason that a box may not fire any app."""
    return f"box {box} may not fire any app; add [boxes.{box}] to the server's configuration"


def not_stopped(app: str, why: str) -> str:
    """Return the reason why a press during a deployment has no effect."""
    return f"the deployment of {app} was not stopped: {why}"
