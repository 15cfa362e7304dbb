"""The settings `[server.wars]`: what a WAR may demand of the server that checks it."""

from typing import Annotated

from pydantic import Field

from bigred_broker.settings import Section

MIB = 1 << 20
# Small WARs may be packed as tightly as they like: a style sheet or an empty table is.
RATIO_FLOOR = 64 * MIB


class WarLimits(Section):
    """The table `[server.wars]`."""

    file_mib: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    unpacked_mib: Annotated[int, Field(ge=1, le=1 << 24)] = 4096
    ratio: Annotated[int, Field(ge=2, le=100_000)] = 200
    entries: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    check_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0

    @property
    def file_bytes(self) -> int:
        """The most bytes of a WAR."""
        return self.file_mib * MIB

    @property
    def unpacked_bytes(self) -> int:
        """The most bytes of everything in a WAR."""
        return self.unpacked_mib * MIB

    def packed_bytes(self, file_bytes: int) -> int:
        """Return the most bytes that a file of this size may unpack to, by `ratio` alone."""
        return max(RATIO_FLOOR, self.ratio * file_bytes)
