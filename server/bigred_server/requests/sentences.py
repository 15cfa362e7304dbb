"""The sentences with which a press is refused; the box speaks them."""

from bigred_broker.messages import Refusal

PRESS_REFUSALS = {
    Refusal.NO_ARMING: "nothing is armed; close the lid and lift it again",
    Refusal.USED: "this arming was used already; close the lid and lift it again",
    Refusal.EXPIRED: "the arming is over; close the lid and lift it again",
}
STALE = "the press took too long to arrive"
CANDIDATE_GONE = "the release that was announced can't be deployed any more"
CANCELLED = "the lid was closed during the countdown"
JUST_FIRED = "it was fired a moment ago; press again to hold it"
JUST_CONTINUED = "it goes on since a moment ago; press again to hold it"
HELD_DOWN = "the button was held down"
BUSY = "the server could not write its journal; try again"


def unknown_box(box: str) -> str:
    """Say that a box may fire nothing."""
    return f"the box {box} may fire no app; add [boxes.{box}] to the server's configuration"


def not_stopped(app: str, why: str) -> str:
    """Say why a press into a running deployment does nothing."""
    return f"the deployment of {app} is not stopped: {why}"
