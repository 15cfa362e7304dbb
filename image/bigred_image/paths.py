"""Where the sources of the image are."""

from pathlib import Path

IMAGE_FOLDER = Path(__file__).resolve().parent.parent
CHECKOUT = IMAGE_FOLDER.parent
