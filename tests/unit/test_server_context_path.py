"""Context paths as people write them, and the names of the WARs that Tomcat serves there."""

import pytest

from bigred_server.model import context_path


@pytest.mark.parametrize(
    ("written", "path", "war"),
    [
        ("", "", "ROOT"),
        ("/", "", "ROOT"),
        ("/shop", "/shop", "shop"),
        ("/books/desk", "/books/desk", "books#desk"),
        ("/a/b/c", "/a/b/c", "a#b#c"),
        ("/ROOT/x", "/ROOT/x", "ROOT#x"),
        ("/shop-2_x.y~z", "/shop-2_x.y~z", "shop-2_x.y~z"),
        ("/büro", "/büro", "büro"),
    ],
)
def test_a_context_path_has_a_war(written: str, path: str, war: str) -> None:
    assert context_path.checked(written) == path
    assert context_path.war_name(path) == war
    assert context_path.of_war(f"{war}.war") == path
    assert context_path.of_war(f"{war}##b7-abc.war") == path


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("shop", "does not begin with a slash; write '/shop'"),
        ("books/desk", "does not begin with a slash; write '/books/desk'"),
        ("books#desk.war", "does not begin with a slash; write '/books/desk'"),
        ("ROOT", "does not begin with a slash; write '/' for the root"),
        ("ROOT.war", "does not begin with a slash; write '/' for the root"),
        ("/ROOT", "ROOT.war is the root; write '/' for the root"),
        ("/ROOT.war", "ROOT.war is the root; write '/' for the root"),
        ("/shop.war", "is the name of a WAR, not its path; write '/shop'"),
        ("/shop/", "ends with a slash; write '/shop'"),
        ("/shop//", "ends with a slash; write '/shop'"),
        ("//", "ends with a slash; write '/' for the root"),
        ("/a//b", "two slashes in a row; write '/a/b'"),
        ("/a/../b", "has a part '.' or '..'"),
        ("/a b", "has a blank"),
        ("/a\tb", "has a blank"),
        ("/a\x00b", "has a blank"),
        ("/books#desk", "has a '#', which no context path can have; write '/books/desk'"),
        ("/shop##7", "has a '#', which no context path can have; write '/shop'"),
        ("/shop?x=1", "has a '?'"),
        ("/a%20b", "has a '%'"),
        ("/a\\b", "has a '\\\\'"),
        ("http://shop.example/shop", "is an address; write only the path in it"),
    ],
)
def test_a_context_path_that_is_none_is_refused_in_words(written: str, says: str) -> None:
    with pytest.raises(ValueError, match="'") as refused:
        context_path.checked(written)
    assert says in str(refused.value)
    assert "pattern" not in str(refused.value)
