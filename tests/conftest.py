"""Fixtures for all tests, and the lanes in which they run."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings
from tests.support.lanes import turn
from tests.support.postgresql import postgresql

__all__ = ["postgresql"]

# An example that takes long says something about the machine, not about the product.
settings.register_profile("bigred", deadline=None)
settings.load_profile("bigred")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use a lane for each processor that the tests may use."""
    return len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In lanes, put files with a test that runs alone late: the unit tests after it are short."""
    if hasattr(config, "workerinput"):
        late = {item.path for item in items if item.get_closest_marker("alone")}
        unit = config.rootpath / "tests" / "unit"
        items.sort(key=lambda item: (item.path.is_relative_to(unit), item.path in late))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """In lanes, run a test alongside those of other lanes, or alone."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)
