"""The tests' own wait: returns when the condition is true, and fails with what was awaited."""

import pytest
from tests.support.until import until


async def test_a_condition_may_be_a_coroutine() -> None:
    asked: list[int] = []

    async def is_asked_twice() -> bool:
        asked.append(1)
        return len(asked) == 2

    await until(is_asked_twice, 10, "asked twice")
    assert len(asked) == 2


async def test_at_the_deadline_the_test_fails_with_what_was_awaited_and_seen() -> None:
    with pytest.raises(AssertionError, match=r"it is up: still not true after 0 s; seen: 'down'"):
        await until(lambda: False, 0, "it is up", lambda: "down")


async def test_a_timeout_of_the_condition_itself_is_not_mistaken_for_the_deadline() -> None:
    def times_out() -> bool:
        raise TimeoutError("the condition")

    with pytest.raises(TimeoutError, match="the condition"):
        await until(times_out, 10, "it is up")
