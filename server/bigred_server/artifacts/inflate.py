"""Unpack what is packed by "deflate", step by step: however much it becomes. Pure."""

import zlib
from collections.abc import Iterator

from bigred_server.artifacts.zip_directory import ZipError

CHUNK = 1 << 18
"""The most bytes that are in memory at once, packed or unpacked."""
_RAW = -zlib.MAX_WBITS


def inflated(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Give the unpacked bytes. Raise ZipError if the packed ones end too early or go on too long.

    Raise zlib.error if they are damaged.
    """
    inflater = zlib.decompressobj(_RAW)
    for chunk in packed:
        if inflater.eof:
            raise ZipError("it has bytes after its end")
        rest = chunk
        while True:
            found = inflater.decompress(rest, CHUNK)
            rest = inflater.unconsumed_tail
            if found:
                yield found
            if inflater.eof or (len(found) < CHUNK and not rest):
                break
    if not inflater.eof:
        raise ZipError("it ends too early")
    if inflater.unused_data:
        raise ZipError("it has bytes after its end")
