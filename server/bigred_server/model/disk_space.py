"""How much room a release needs on a disk. Pure."""

# What must be left besides the release, in bytes.
SPARE_BYTES = 64 * 1024 * 1024


def on_a_node(size: int) -> int:
    """Give how many bytes must be free on a node for a release of `size` bytes.

    It is needed twice: once among the kept ones, once in place of the WAR. Tomcat is stopped when
    it is put there, too late to find that the disk is full.
    """
    return 2 * size + SPARE_BYTES
