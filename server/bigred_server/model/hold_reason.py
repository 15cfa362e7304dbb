"""Why a deployment is held: it says who may let it go on."""

from enum import StrEnum


class HeldFor(StrEnum):
    """ASKED by a person. LOAD: the other nodes could not carry one more.

    SUSPICION: the judge speaks against the release; the hold ends when it no longer does. DOUBT:
    the judge saw too little; the hold ends when it has seen enough. A person may end any of them.
    """

    ASKED = "asked"
    LOAD = "load"
    SUSPICION = "suspicion"
    DOUBT = "doubt"
