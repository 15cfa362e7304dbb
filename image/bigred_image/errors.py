"""What can go wrong while an image is made."""


class ImageError(Exception):
    """The image can't be built; the sentence says what was tried, seen, and what to do."""
