"""How much disk space a release needs. Pure."""

# Space that must stay free besides the release, in bytes.
SPARE_BYTES = 64 * 1024 * 1024


def on_a_node(size: int) -> int:
    """Return how many bytes must be free on a node for a release of `size` bytes.

    The release needs its size twice: as a kept release and as the WAR in place. When the WAR is put
    in place, Tomcat is already stopped: too late to find that the disk is full.
    """
    return 2 * size + SPARE_BYTES
