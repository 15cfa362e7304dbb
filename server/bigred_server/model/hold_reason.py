"""Why a deployment is on hold, which decides what can end the hold."""

from enum import StrEnum


class HeldFor(StrEnum):
    """ASKED: a person asked for the hold. LOAD: the other nodes can't carry the load of one more.

    SUSPICION: the verdict is against the release; the hold ends when it no longer is. DOUBT: there
    is too little evidence; the hold ends when there is enough. People can end any hold.
    """

    ASKED = "asked"
    LOAD = "load"
    SUSPICION = "suspicion"
    DOUBT = "doubt"
