"""Errors of the build."""


class ImageError(Exception):
    """The image can't be built; the text says what was tried, what was seen, and what to do."""
