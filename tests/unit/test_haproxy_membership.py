"""Which server lines are the same Tomcat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import host_of, normalized
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.merge import MemberLook, merge
from bigred_server.haproxy.rows import ServerRow
from bigred_server.haproxy.tables import Process
from bigred_server.rollout.core.observation import Admin, Counters, ServerLook

UP = ServerLook(Admin.READY, up=True)


def look(**endpoints: str) -> BackendLook:
    rows = {name: ServerRow(name, UP, endpoint=at) for name, at in endpoints.items()}
    return BackendLook(Process(1, "", "2.6"), rows, Counters(0, 0, 0))


FIRST = look(a="10.0.0.1:8080", b="10.0.0.2:8080")


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (look(x="10.0.0.2:8080"), {"a": (), "b": ("x",)}),
        (look(x="10.0.0.1:8443"), {"a": ("x",), "b": ()}),  # the only one on its host
        (look(a="10.0.0.1:8443", x="10.0.0.1:9443"), {"a": ("a",), "b": ()}),
        (look(x="10.0.0.1:8443", y="10.0.0.1:9443"), {"a": (), "b": ()}),  # either may be it
        (look(a="10.0.0.9:8080"), {"a": (), "b": ()}),  # a namesake elsewhere
        (look(x="10.0.0.1:8080", y="10.0.0.1:8080"), {"a": ("x", "y"), "b": ()}),
        (look(x=""), {"a": (), "b": ()}),
    ],
)
def test_the_same_tomcat_is_found_by_its_address_name_or_host(
    other: BackendLook, names: dict[str, tuple[str, ...]]
) -> None:
    assert member_names(FIRST, other) == names


def test_a_tomcat_with_two_lines_in_one_backend_is_one() -> None:
    twice = look(a="10.0.0.1:8080", a2="10.0.0.1:8080")
    assert member_names(twice, twice)["a"] == ("a", "a2")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("127.0.1.1:80", "127.0.0.1:80"),
        ("[::1]:80", "127.0.0.1:80"),
        ("127.0.0.2:80", "127.0.0.2:80"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ("[2001:db8::1]:80", "2001:db8::1:80"),
        ("unix", ""),
        ("", ""),
        ("10.0.0.1", ""),
        ("host:80", ""),
    ],
)
def test_an_address_has_one_form(address: str, expected: str) -> None:
    assert normalized(address) == expected


def test_each_haproxy_needs_servers_for_its_own_users() -> None:
    def at(address: str, **ws: str) -> list[MemberLook]:
        other = look(**ws)
        return [
            MemberLook(address, "shop", FIRST, member_names(FIRST, FIRST)),
            MemberLook(address, "ws", other, member_names(FIRST, other), is_first=False),
        ]

    pool = merge([*at("h1", x="10.0.0.1:8080", y="10.0.0.2:8080"), *at("h2", x="10.0.0.1:8080")])
    assert pool.server("b").backends == {"shop at h1": True, "ws at h1": True, "shop at h2": True}


ENDPOINTS = st.sampled_from(["", "10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1", "10.0.0.2:2"])
LOOKS = st.dictionaries(st.sampled_from("abcde"), ENDPOINTS).map(lambda at: look(**at))


def is_same(name: str, first: BackendLook, known_as: str, other: BackendLook) -> bool:
    ours, theirs = first.servers[name].endpoint, other.servers[known_as].endpoint
    host = host_of(ours)
    hosts = [[host_of(row.endpoint) for row in one.servers.values()] for one in (first, other)]
    is_alone = bool(ours) and all(one.count(host) == 1 for one in hosts)
    on_same_host = host == host_of(theirs)
    return (ours != "" and ours == theirs) or (on_same_host and (name == known_as or is_alone))


@given(LOOKS, LOOKS)
def test_the_lines_of_a_tomcat_are_those_that_a_comparison_of_each_with_each_finds(
    first: BackendLook, other: BackendLook
) -> None:
    assert member_names(first, other) == {
        name: tuple(one for one in other.servers if is_same(name, first, one, other))
        for name in first.servers
    }
