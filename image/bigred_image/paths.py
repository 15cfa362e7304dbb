"""The folders of the image's sources."""

from pathlib import Path

IMAGE_FOLDER = Path(__file__).resolve().parent.parent
CHECKOUT = IMAGE_FOLDER.parent
