"""The built card, which `./bigred test --image` builds before these tests."""

from pathlib import Path

import pytest

from bigred_image.__main__ import FOLDER
from bigred_image.boot import NO_IMAGE
from bigred_image.card import NAME


@pytest.fixture(scope="session")
def built() -> Path:
    """Return the folder of the built image."""
    if not (FOLDER / NAME).exists():
        pytest.fail(NO_IMAGE.format(image=FOLDER / NAME))
    return FOLDER
