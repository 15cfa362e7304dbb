"""What all tests may ask for, and how many lanes they run in."""

import os

import pytest
from tests.support.postgresql import postgresql

__all__ = ["postgresql"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Give `auto` one lane more than `logical`: most tests wait for their neighbours."""
    more: bool = config.option.numprocesses == "auto"
    return len(os.sched_getaffinity(0)) + more
