"""The packs have the same phrases, and a phrase sounds right when filled in."""

import pytest

from bigred_agent.errors import PackError
from bigred_agent.phrases.pack import load, names, placeholders, render
from bigred_agent.phrases.phrase import Changes, Phrase, Servers
from bigred_agent.phrases.spoken import spoken_name

DEFAULT = load("default")


def test_there_are_a_default_and_a_plain_pack() -> None:
    assert names() == ["default", "plain"]


@pytest.mark.parametrize("name", names())
def test_every_pack_has_every_phrase_with_the_same_placeholders(name: str) -> None:
    pack = load(name)
    assert set(pack.phrases) == set(Phrase)
    for phrase in Phrase:
        wanted = placeholders(DEFAULT.phrases[phrase])
        assert placeholders(pack.phrases[phrase]) == wanted, phrase


def test_the_default_pack_has_the_traditional_phrases() -> None:
    said = render(
        DEFAULT, Phrase.ARMED, app="Shop", version="1.4.2", author="Ada", servers=Servers(4)
    )
    assert said == "System is armed! Shop 1.4.2 by Ada, to four servers."
    assert render(DEFAULT, Phrase.DISARMED) == "System disarmed."
    assert render(DEFAULT, Phrase.ACCEPTED) == "Firing missiles!"


@pytest.mark.parametrize(
    ("count", "spoken"), [(1, "one server"), (20, "twenty servers"), (21, "21 servers")]
)
def test_servers_are_counted_in_words_up_to_twenty(count: int, spoken: str) -> None:
    said = render(DEFAULT, Phrase.ARMED_NO_AUTHOR, app="Shop", version="1", servers=Servers(count))
    assert said.endswith(f"to {spoken}.")


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        (Changes(1, ()), "one change"),
        (Changes(1, ("Ada",)), "one change by Ada"),
        (Changes(3, ("Ada", "Linus")), "three changes by Ada and Linus"),
        (Changes(30, ("Ada", "Linus", "Grace")), "30 changes by Ada, Linus and others"),
    ],
)
def test_changes_are_counted_and_their_authors_named(changes: Changes, spoken: str) -> None:
    said = render(DEFAULT, Phrase.CANDIDATE_CHANGES, app="Shop", version="1", changes=changes)
    assert said == f"Shop 1 is ready for launch, with {spoken}."


def test_progress_is_short() -> None:
    assert render(DEFAULT, Phrase.PROGRESS, done=1, total=3) == "Node one of three done."


def test_a_reason_with_a_full_stop_gets_no_second_one() -> None:
    said = render(DEFAULT, Phrase.NOT_ARMED, reason="deploy freeze until Monday.")
    assert said == "Not armed: deploy freeze until Monday."


def test_a_missing_reason_is_replaced_and_a_missing_version_leaves_no_gap() -> None:
    assert render(DEFAULT, Phrase.NOT_ARMED, reason="") == "Not armed: no reason given."
    assert render(DEFAULT, Phrase.CANDIDATE, app="Shop", version="") == "Shop is ready for launch."


def test_braces_in_a_reason_are_plain_text() -> None:
    assert render(DEFAULT, Phrase.REFUSED, reason="{app} {0}") == "Launch refused: {app} {0}."


def test_an_unknown_pack_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PackError, match="available: default, plain"):
        load("../default")


def test_an_id_is_spoken_as_a_name() -> None:
    assert spoken_name("web-shop") == "Web shop"
