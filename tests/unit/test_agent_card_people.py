"""Cards filled in by people who are no programmers: what is understood, and what the box says."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cards import GOOD, HEX, Card, provisioned, stored
from tests.support.cards_refused import REFUSED
from tests.support.cards_taken import TAKEN

from bigred_agent.card import files, mistakes, plan, provisioning, status, vocabulary
from bigred_agent.card.decoding import NotTextError, decoded
from bigred_agent.card.meaning import id_of
from bigred_agent.card.mistakes import Mistake
from bigred_agent.card.repair import repaired
from bigred_agent.card.report import DETAILS, UNCONFIGURED
from bigred_agent.card.settings import (
    FILE,
    KEPT,
    CardBrokerSettings,
    CardSettings,
    WifiSettings,
    example,
)
from bigred_agent.doctor.finding import Finding
from bigred_agent.settings import LightsSettings
from bigred_agent.voice.text import MOST_CHARACTERS
from bigred_broker.settings import Section
from bigred_broker.topics import is_id


@pytest.mark.parametrize("card", TAKEN, ids=lambda card: card.title)
def test_what_can_be_meant_in_one_way_only_is_taken_as_meant(card: Card, tmp_path: Path) -> None:
    folders, report = provisioned(card, tmp_path)
    assert (report.configured, report.problems, report.spoken()) == (True, (), "")
    values = stored(folders)
    assert {key: values.get(key) for key in card.meant} == dict(card.meant)
    again = provisioning.provision(folders)
    assert (again.configured, again.problems, stored(folders)) == (True, (), values)


@pytest.mark.parametrize("card", TAKEN, ids=lambda card: card.title)
def test_secrets_leave_every_card_and_the_box_stays_as_it_is(card: Card, tmp_path: Path) -> None:
    folders, report = provisioned(card, tmp_path)
    (file,) = folders.card.iterdir()
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    assert tables["wifi"]["password"] == KEPT
    secret = str(card.meant["wifi.password"])
    notes = "\n".join(report.notes)
    for text in (file.read_text(encoding="utf-8"), notes):
        assert secret not in text
        assert "s%40cret" not in text
        assert "s@cret" not in text


@pytest.mark.parametrize("card", REFUSED, ids=lambda card: card.title)
def test_what_can_t_be_meant_is_one_short_sentence_with_its_line_and_fix(
    card: Card, tmp_path: Path
) -> None:
    folders, report = provisioned(card, tmp_path)
    assert (report.configured, report.said) == (False, card.said)
    assert not (folders.root / plan.CONFIG).exists()
    assert (folders.card / card.name).read_bytes() == card.raw
    spoken = report.spoken()
    assert spoken.startswith(f"{UNCONFIGURED} {card.said} ")
    assert spoken.endswith(DETAILS)
    assert len(spoken) <= MOST_CHARACTERS
    line = re.match(r"In line (\d+), ", card.said)
    assert report.problems[0].startswith(f"line {line[1]}: " if line else ("the ", "there ", FILE))


def test_every_mistake_has_a_short_sentence_that_ends_and_its_details() -> None:
    words = mistakes.templates()
    assert set(words) == {one.name.lower() for one in Mistake}
    for one in words.values():
        assert set(one) == {"said", "written"}
        assert one["said"].endswith(".")
        assert one["said"].count(".") == 1
        assert len(one["said"]) <= 100
        assert not one["written"].endswith(".")


def test_no_sentence_repeats_what_somebody_wrote() -> None:
    names = {name for one in mistakes.templates().values() for name in _fields(one["said"])}
    assert names == {"thing", "heading", "to"}


def _fields(template: str) -> list[str]:
    return re.findall(r"{(\w+)", template)


def test_every_key_of_the_file_has_its_kind() -> None:
    models: dict[str, type[Section]] = {
        "": CardSettings,
        "broker": CardBrokerSettings,
        "wifi": WifiSettings,
        "lights": LightsSettings,
    }
    tables = {*vocabulary.HEADINGS, "patterns"}
    keys = {(name, key) for name, model in models.items() for key in model.model_fields}
    assert {key for key in keys if key[1] not in tables} == set(vocabulary.KINDS)


# --- details -------------------------------------------------------------------------------------


def test_the_status_file_says_what_was_taken_in_another_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "addresses", lambda: "eth0 192.0.2.7")
    text = GOOD.replace("office", "Kitchen Box").replace('"broker.lan"', "broker.lan:1884")
    _, report = provisioned(Card("", text.encode()), tmp_path)
    assert "the name 'Kitchen Box' of the box becomes 'kitchen-box'" in report.notes
    assert "the address of the broker is read as host broker.lan, port 1884" in report.notes
    assert any(note.startswith("line 3: taken as host = ") for note in report.notes)
    written = status.text("kitchen-box", report, [Finding("broker", "answers")], status.now())
    assert "note: the name 'Kitchen Box' of the box becomes 'kitchen-box'\r\n" in written


def test_a_network_that_is_filled_in_but_still_a_comment_is_noted(tmp_path: Path) -> None:
    text = 'name = "office"\n[broker]\nhost = "b"\n#[wifi]\n#ssid = "Office"\n#password = "x"\n'
    _, report = provisioned(Card("", text.encode()), tmp_path)
    assert report.notes == (
        "line 5: ssid is filled in, but the # before it makes it a comment",
        "line 6: password is filled in, but the # before it makes it a comment",
    )


def test_a_key_of_64_digits_is_the_network_s_own_key_for_iwd() -> None:
    planned = plan.wifi(WifiSettings(ssid="x", password=HEX, country="DE"))
    assert planned.content == f"[Security]\nPreSharedKey={HEX}\n"


def test_a_filled_in_copy_is_used_instead_of_the_original_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(example(), encoding="utf-8")
    (tmp_path / "bigred.toml.txt").write_text(GOOD, encoding="utf-16")
    found = files.settings_file(tmp_path)
    assert found is not None
    assert (found.file.name, found.text, found.rival) == ("bigred.toml.txt", GOOD, "")


def test_two_files_that_were_filled_in_are_a_problem_but_a_copy_is_not(tmp_path: Path) -> None:
    folders, _ = provisioned(Card("", GOOD.encode()), tmp_path)
    (folders.card / "bigred - copy.toml").write_text(GOOD)
    (folders.card / "._bigred.toml").write_bytes(b"\x00\x05\x16\x07")
    assert provisioning.provision(folders).problems == ()
    (folders.card / "bigred.toml.txt").write_text(GOOD.replace("office", "other"))
    report = provisioning.provision(folders)
    assert report.configured
    assert "There are two settings files on my card; remove the wrong one." in report.spoken()
    assert stored(folders)["name"] == "office"


def test_a_certificate_is_found_by_its_hidden_ending_and_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "CA.pem.txt").write_text("x")
    assert files.named(tmp_path, "ca.pem") == tmp_path / "CA.pem.txt"
    (tmp_path / "Ca.pem").write_text("x")
    assert files.named(tmp_path, "ca.pem") == tmp_path / "Ca.pem"
    assert files.named(tmp_path, "key.pem") is None


def test_light_patterns_are_stored_as_toml(tmp_path: Path) -> None:
    lights = '[lights.patterns]\nidle = [\n  ["white", 0.1],\n  ["off", 0.1], ["blue", 0.3],\n]\n'
    folders, report = provisioned(Card("", (GOOD + lights).encode()), tmp_path)
    assert report.configured
    again = provisioning.provision(folders)
    assert (again.configured, again.problems) == (True, ())
    assert stored(folders)["wifi.password"] == "over the air"


def test_the_original_file_and_valid_toml_stay_as_they_are() -> None:
    for text in (
        example(),
        GOOD,
        GOOD.replace('"over the air"', '"""over\\\n the air"""'),
        'wifi = { ssid = "x", country = "DE" }\n' + GOOD.split("[wifi]")[0],
        "broker.host = \"x\"\nname = 'y' # z\n",
        GOOD + "[lights]\nbar_pins = [\n  5, # five\n  6,\n]\nactive_high = false\n",
    ):
        done = repaired(text)
        assert (done.text, done.notes, done.complaints) == (text, [], [])


PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)


@given(st.text(PRINTABLE, min_size=8, max_size=63))
def test_a_password_in_valid_toml_is_never_touched(password: str) -> None:
    done = repaired(f"[wifi]\npassword = {json.dumps(password)}\n")
    assert (done.notes, done.complaints) == ([], [])


@given(st.text(PRINTABLE, min_size=8, max_size=63))
def test_a_password_without_quotes_is_taken_as_it_is_or_refused(password: str) -> None:
    done = repaired(f"[wifi]\npassword = {password}\n")
    if done.complaints:
        return
    taken = tomllib.loads(done.text)["wifi"]["password"]
    quoted = password.strip()[:1] in ("'", '"', "`")
    assert quoted or taken == password.strip()


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(raw: bytes) -> None:
    try:
        text = decoded(raw)
    except NotTextError:
        return
    assert "\0" not in text
    done = repaired(text)
    assert done.complaints or done.text.count("\n") == text.count("\n")


@given(st.text())
def test_a_name_becomes_an_id_or_nothing(name: str) -> None:
    made = id_of(name)
    assert not made or is_id(made[:32])
