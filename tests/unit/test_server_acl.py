"""The conditions of HAProxy's rules: what they can come out as."""

import pytest

from bigred_server.haproxy import acl
from bigred_server.haproxy.config_words import Words

ACLS = acl.acls(
    (
        ("acl", "mine", "yes"),
        ("acl", "several", "no"),
        ("acl", "several", "yes"),
        ("acl", "vague", "who-knows"),
        ("bind", ":80"),
    )
)
VALUES = {"yes": acl.ALWAYS, "no": acl.NEVER, "maybe": acl.EITHER}


def judge(words: Words) -> acl.Values:
    return VALUES.get(words[0], acl.UNKNOWN)


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("", acl.ALWAYS),
        ("if mine", acl.ALWAYS),
        ("unless mine", acl.NEVER),
        ("if !mine", acl.NEVER),
        ("if ! mine", acl.NEVER),
        ("unless !mine", acl.ALWAYS),
        ("if several", acl.ALWAYS),
        ("if vague", acl.UNKNOWN),
        ("if vague || mine", acl.ALWAYS),
        ("if vague or mine", acl.ALWAYS),
        ("if vague mine", acl.UNKNOWN),
        ("if vague { no }", acl.NEVER),
        ("if { maybe }", acl.EITHER),
        ("if !{ maybe }", acl.EITHER),
        ("if { maybe } mine", acl.EITHER),
        ("if { maybe } || mine", acl.ALWAYS),
        ("if not-defined", acl.UNKNOWN),
        ("if TRUE", acl.ALWAYS),
        ("unless FALSE", acl.ALWAYS),
        ("if { always_false }", acl.NEVER),
        ("if { }", acl.UNKNOWN),
        ("when mine", acl.UNKNOWN),
    ],
)
def test_a_condition_comes_out_as_its_criteria_do(condition: str, values: acl.Values) -> None:
    assert acl.values(tuple(condition.split()), ACLS, judge) == values


@pytest.mark.parametrize(
    ("words", "criterion"),
    [
        ("method GET HEAD", ("method", (), ("GET", "HEAD"))),
        ("req.hdr(X) -i -m str a", ("req.hdr(X)", ("-i", "-m", "str"), ("a",))),
        ("path -m beg -- -a", ("path", ("-m", "beg"), ("-a",))),
        ("src -f /etc/x", ("src", ("-f", "/etc/x"), ())),
    ],
)
def test_a_criterion_has_flags_and_patterns(words: str, criterion: tuple[object, ...]) -> None:
    assert acl.criterion(tuple(words.split())) == criterion
