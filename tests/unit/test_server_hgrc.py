"""Our line in Mercurial's configuration of a repository: it comes, and goes without a trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_server.hook.hgrc import has_hook, with_hook, without_hook

COMMENT = "# ours"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "# ours\n[hooks]\nchangegroup.bigred = x\n"),
        ("[hooks]\na = b\n", "[hooks]\nchangegroup.bigred = x\na = b\n"),
        ("[hooks] ; theirs", "[hooks] ; theirs\nchangegroup.bigred = x\n"),
        ("[ui]\r\na = b", "[ui]\r\na = b\r\n\r\n# ours\r\n[hooks]\r\nchangegroup.bigred = x\r\n"),
        (
            "[hooks]\nchangegroup.bigred=old\nchangegroup.ci = y\n",
            "[hooks]\nchangegroup.bigred = x\nchangegroup.ci = y\n",
        ),
        ("# [hooks]\n", "# [hooks]\n\n# ours\n[hooks]\nchangegroup.bigred = x\n"),
    ],
)
def test_one_line_is_added_and_the_others_stay(before: str, after: str) -> None:
    assert with_hook(before, COMMENT, "x") == after
    assert with_hook(after, COMMENT, "x") == after
    assert has_hook(after)


LINES = st.lists(
    st.sampled_from(["[hooks]", "[ui]", "a = b", "  more", "", "\udcff = latin", "# ours too"])
)


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_what_was_there_comes_back(lines: list[str], end: str) -> None:
    before = "".join(line + end for line in lines)
    assert without_hook(with_hook(before, COMMENT, "x"), COMMENT) == before


def test_lines_that_others_added_to_our_section_stay() -> None:
    ours = with_hook("", COMMENT, "x") + "changegroup.ci = y\n"
    assert without_hook(ours, COMMENT) == "[hooks]\nchangegroup.ci = y\n"
