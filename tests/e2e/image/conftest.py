"""The built card, as these tests find it: `./bigred test --image` builds it before."""

import os
from pathlib import Path

import pytest

from bigred_image.__main__ import FOLDER
from bigred_image.boot import NO_IMAGE
from bigred_image.card import NAME


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built image."""
    folder = Path(os.environ.get("BIGRED_IMAGE", FOLDER))
    if not (folder / NAME).exists():
        pytest.fail(NO_IMAGE.format(image=folder / NAME))
    return folder
