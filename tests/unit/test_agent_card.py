"""The card: what bigred.toml makes of a machine, what is wrong with it, and where secrets go."""

import itertools
import os
import ssl
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from bigred_agent.card import cli as card_cli
from bigred_agent.card import plan, safe, secrets, status, take_in
from bigred_agent.card import report as report_module
from bigred_agent.card.keeping import Keeping
from bigred_agent.card.report import Report
from bigred_agent.card.settings import (
    FILE,
    KEPT,
    CardBrokerSettings,
    CardSettings,
    WifiSettings,
    example,
)
from bigred_agent.card.take_in import Places
from bigred_agent.cli import main
from bigred_agent.doctor.finding import Finding
from bigred_agent.settings import AgentSettings
from bigred_agent.voice import once
from bigred_broker.config import parse
from bigred_broker.settings import Section

GOOD = """\
# our box
name = "office"
[broker]
host = "broker.local"
username = "office"
password = "s3cret # no comment"  # the broker's
[wifi]
ssid = "Büro"
password = 'over the air'
country = "DE"
"""

SECRET, ANOTHER = "s3cret # no comment", "another"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("card", "kept", "root"):
        (tmp_path / name).mkdir()
    return Places(tmp_path / "card", tmp_path / "kept", tmp_path / "root")


def write(places: Places, text: str) -> None:
    (places.card / FILE).write_text(text, encoding="utf-8")


def card(places: Places) -> str:
    return (places.card / FILE).read_bytes().decode()


def agent(places: Places) -> AgentSettings:
    file = places.root / plan.CONFIG
    return parse(file.read_text(), AgentSettings, str(file))


# --- a good card ---------------------------------------------------------------------------------


def test_a_good_card_makes_the_box(places: Places) -> None:
    write(places, GOOD)
    assert take_in.take_in(places).configured
    settings = agent(places)
    assert settings.box.name == "office"
    assert (settings.broker.host, settings.broker.port) == ("broker.local", 1883)
    assert settings.broker.password == SECRET
    assert settings.broker.tls is None
    assert (places.root / "etc/hostname").read_text() == "office\n"
    network = places.root / "var/lib/iwd/=42c3bc726f.psk"
    assert network.read_text() == "[Security]\nPassphrase=over the air\n"
    assert "Country=DE" in (places.root / "etc/iwd/main.conf").read_text()
    assert not (places.root / "root/.ssh").exists()


def test_the_agent_reaches_its_configuration_whatever_the_umask(places: Places) -> None:
    write(places, GOOD.replace("[broker]", 'ssh_key = "ssh-rsa AAAA"\n[broker]', 1))
    before = os.umask(0o077)
    try:
        take_in.take_in(places)
    finally:
        os.umask(before)
    assert (places.root / plan.CONFIG).parent.stat().st_mode & 0o777 == 0o755
    assert (places.root / plan.CONFIG).stat().st_mode & 0o777 == 0o640
    for folder in ("root/.ssh", "var/lib/iwd"):
        assert (places.root / folder).stat().st_mode & 0o777 == 0o700


def test_the_secrets_leave_the_card_and_all_else_stays(places: Places) -> None:
    write(places, GOOD.replace("\n", "\r\n"))
    report = take_in.take_in(places)
    assert report.notes == ("the secrets were taken off the card and are kept in the box",)
    text = card(places)
    assert "s3cret" not in text
    assert "over the air" not in text
    assert f'password = "{KEPT}"  # the broker\'s\r\n' in text
    assert "# our box\r\n" in text
    assert [path.name for path in places.card.iterdir()] == [FILE]


def test_the_box_is_the_same_at_the_next_start(places: Places) -> None:
    write(places, GOOD)
    take_in.take_in(places)
    before = agent(places)
    bare = card(places)
    report = take_in.take_in(places)
    assert (report.configured, report.troubles, report.notes) == (True, (), ())
    assert agent(places) == before
    assert card(places) == bare


def test_a_new_password_on_the_card_replaces_the_kept_one(places: Places) -> None:
    write(places, GOOD)
    take_in.take_in(places)
    write(places, card(places).replace(f'"{KEPT}"  #', '"another"  #'))
    take_in.take_in(places)
    assert agent(places).broker.password == ANOTHER
    assert "another" not in card(places)


def test_what_is_kept_is_for_root_alone(places: Places) -> None:
    write(places, GOOD)
    take_in.take_in(places)
    for path in (*places.kept.iterdir(), places.root / plan.CONFIG):
        assert path.stat().st_mode & 0o007 == 0, path


@pytest.mark.parametrize(
    "line",
    [
        'wifi = { ssid = "x", password = "over the air", country = "DE" }',
        '[wifi]\nssid = "x"\npassword = """over the air"""\ncountry = "DE"',
        "[wifi]\nssid = 'x'\n\"password\"= 'over the air'\ncountry = 'DE'",
        '[wifi]\npassword="over the air"#x\ncountry="DE"\nssid="x"',
    ],
)
def test_a_secret_leaves_the_card_however_it_is_written(places: Places, line: str) -> None:
    text = f'name = "office"\n{line}\n[broker]\nhost = "b"\n'
    if line.startswith("wifi ="):
        text = f'{line}\nname = "office"\n[broker]\nhost = "b"\n'
    write(places, text)
    assert take_in.take_in(places).configured
    assert "over the air" not in card(places)
    told = tomllib.loads(card(places))
    assert told["wifi"] == {"ssid": "x", "password": KEPT, "country": "DE"}
    assert take_in.take_in(places).notes == ()


def test_a_power_cut_before_the_card_is_bare_loses_nothing(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(places, GOOD)
    whole = safe.write
    for survived in itertools.count():
        left = iter(range(survived))

        def cut(file: Path, content: str, mode: int = 0o600) -> None:
            if next(left, None) is None:  # noqa: B023
                raise KeyboardInterrupt
            whole(file, content, mode)

        monkeypatch.setattr(safe, "write", cut)
        try:
            take_in.take_in(places)
            break
        except KeyboardInterrupt:
            monkeypatch.setattr(safe, "write", whole)
            take_in.take_in(places)
            assert agent(places).broker.password == SECRET
            write(places, GOOD)
    assert survived >= 5


def test_nothing_leaves_a_card_that_the_box_can_not_keep(places: Places) -> None:
    write(places, GOOD)
    places.kept.rmdir()
    places.kept.write_text("a file")
    report = take_in.take_in(places)
    assert report.configured
    assert "can't keep" in report.notes[0]
    assert card(places) == GOOD


# --- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pems() -> dict[str, str]:
    """A certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "office")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(Encoding.PEM).decode()
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"ca": certificate, "certificate": certificate, "key": plain}


TLS = """\
name = "office"
[broker]
host = "broker.example.com"
ca = "our-ca.pem"
certificate = "office.crt"
key = "office.key"
"""
NAMES = {"ca": "our-ca.pem", "certificate": "office.crt", "key": "office.key"}


def test_certificates_beside_the_file_are_taken_in_and_the_key_leaves_the_card(
    places: Places, pems: dict[str, str]
) -> None:
    write(places, TLS)
    for key, name in NAMES.items():
        (places.card / name).write_text(pems[key])
    assert take_in.take_in(places).configured
    broker = agent(places).broker
    assert broker.port == 8883
    assert broker.tls is not None
    assert broker.tls.key == Path("/etc/bigred/key.pem")
    assert (places.root / "etc/bigred/key.pem").read_text() == pems["key"]
    assert sorted(path.name for path in places.card.iterdir()) == [FILE, "office.crt", "our-ca.pem"]
    (places.root / "etc/bigred/key.pem").unlink()
    assert take_in.take_in(places).configured
    assert (places.root / "etc/bigred/key.pem").read_text() == pems["key"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ca": None}, "broker.ca: there is no our-ca.pem on the card"),
        ({"ca": "hello"}, "broker.ca is no certificate in PEM"),
        ({"key": "hello"}, "don't go together"),
        ({"key": None, "ca": None}, "broker.ca: there is no our-ca.pem on the card"),
    ],
)
def test_a_wrong_certificate_is_told(
    places: Places, pems: dict[str, str], change: dict[str, str | None], why: str
) -> None:
    write(places, TLS)
    for key, name in NAMES.items():
        if (text := {**pems, **change}[key]) is not None:
            (places.card / name).write_text(text)
    report = take_in.take_in(places)
    assert not report.configured
    assert why in report.troubles[0]
    assert not (places.root / plan.CONFIG).exists()


def test_a_key_of_another_certificate_is_told(pems: dict[str, str]) -> None:
    other = ssl.DER_cert_to_PEM_cert(b"no certificate at all")
    assert take_in.pem_troubles({**pems, "certificate": other})
    assert take_in.pem_troubles(pems) == []


# --- a wrong card --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the key 'name' is missing"),
        (example(), "broker.host: is empty; fill it in"),
        ("name = office", "no valid TOML"),
        (GOOD.replace('"office"\n[', '"The Office"\n['), "line 2: name"),
        (GOOD.replace("ssid", "sid"), "unknown key 'wifi.sid'; did you mean 'ssid'"),
        (GOOD.replace("over the air", "short"), "8 to 63 characters"),
        (GOOD.replace('"DE"', '"Germany"'), "line 10: wifi.country"),
        (GOOD.replace("broker.local", "http://b:1"), "is no name or address of a machine"),
        (GOOD.replace("[wifi]", 'key = "x"\n[wifi]'), "certificate and key go together"),
        (GOOD.replace("[broker]", 'ssh_key = "x"\n[broker]'), "this is no public key of SSH"),
        (
            GOOD.replace("[broker]", 'ssh_key = "-----BEGIN OPENSSH PRIVATE KEY-----"\n[broker]'),
            "this is a private key",
        ),
        (GOOD.replace("[broker]", 'language = "fr"\n[broker]'), "not otherwise"),
        (GOOD.replace('"s3cret # no comment"', f'"{KEPT}"'), "this box keeps none"),
        ("x" * 100_000, "too long"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line_and_makes_no_box(
    places: Places, text: str, why: str
) -> None:
    write(places, text)
    report = take_in.take_in(places)
    assert not report.configured
    assert why in "\n".join(report.troubles)
    assert not any(one.startswith(("line  ", FILE + ":")) for one in report.troubles)
    assert not (places.root / plan.CONFIG).exists()
    assert card(places) == text
    assert report.spoken().startswith("I am not configured: ")
    assert report.spoken().endswith("See bigred-status.txt on my card.")


def test_a_card_without_the_file_is_told(places: Places) -> None:
    report = take_in.take_in(places)
    assert (report.configured, report.troubles) == (False, (take_in.NO_FILE,))


@pytest.mark.parametrize("damage", ["name = office", ""])
def test_a_box_that_was_told_before_goes_on_as_it_was(places: Places, damage: str) -> None:
    write(places, GOOD)
    take_in.take_in(places)
    (places.root / plan.CONFIG).unlink()
    if damage:
        write(places, damage)
    else:
        (places.card / FILE).unlink()
    report = take_in.take_in(places)
    assert report.configured
    assert report.troubles
    assert report.spoken().startswith("My configuration has a mistake: ")
    assert agent(places).broker.password == SECRET


def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_mistake(places: Places) -> None:
    (places.card / FILE).write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert take_in.take_in(places).configured


def test_what_is_no_text_is_told(places: Places) -> None:
    (places.card / FILE).write_bytes(b"\xff\xfe\x00n")
    assert "can't be read" in take_in.take_in(places).troubles[0]


# --- the files of a box --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ssid", "password", "name", "content"),
    [
        ("Office 1", "12345678", "Office 1.psk", "[Security]\nPassphrase=12345678\n"),
        ("a/b", "12345678", "=612f62.psk", "[Security]\nPassphrase=12345678\n"),
        ("Office", " lead\\ing", "Office.psk", "[Security]\nPassphrase=\\slead\\\\ing\n"),
        ("Guests", "", "Guests.open", ""),
    ],
)
def test_a_network_is_written_as_iwd_wants_it(
    ssid: str, password: str, name: str, content: str
) -> None:
    wanted = plan.wifi(WifiSettings(ssid=ssid, password=password, country="DE"))
    assert (wanted.path.name, wanted.content) == (name, content)
    assert wanted.mode == 0o600


def test_a_hidden_network_is_asked_for() -> None:
    told = {"ssid": "x", "password": "12345678", "country": "DE", "hidden": True}
    wanted = plan.wifi(WifiSettings.model_validate(told))
    assert wanted.content.endswith("[Settings]\nHidden=true\n")


def test_a_key_of_ssh_lets_its_owner_in(places: Places) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada@example"
    write(places, GOOD.replace("[broker]", f'ssh_key = "{key}"\n[broker]', 1))
    assert take_in.take_in(places).configured
    file = places.root / "root/.ssh/authorized_keys"
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_lights_with_their_patterns_reach_the_agent() -> None:
    steps = [["white", 0.1], ["off", 0.1], ["blue", 0.3], ["off", 2.0]]
    told = {**tomllib.loads(GOOD), "lights": {"bar_pins": [5], "patterns": {"idle": steps}}}
    settings = CardSettings.model_validate(told)
    read = parse(plan.agent_toml(settings), AgentSettings, "agent.toml")
    assert read.lights == settings.lights


VALUES = st.one_of(
    st.text(), st.booleans(), st.integers(-(2**53), 2**53), st.lists(st.integers(0, 27), max_size=3)
)
KEYS = st.from_regex(r"\A[a-z_]{1,8}\Z")


@given(
    st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=5)
)
def test_tables_are_read_as_they_were_written(tables: dict[str, object]) -> None:
    assert tomllib.loads(secrets.toml(tables)) == tables


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=63))
def test_any_password_leaves_the_card(password: str) -> None:
    text = GOOD.replace("'over the air'", secrets.toml({"x": password}).strip()[4:])
    bare = secrets.without(text)
    told = tomllib.loads(bare)
    assert (told["wifi"]["password"], told["broker"]["password"]) == (KEPT, KEPT)
    assert "# our box" in bare


def test_the_file_that_comes_with_the_card_shows_every_key() -> None:
    shown = "\n".join(
        line[1:] if line[:1] == "#" and line[1:2] not in (" ", "") else line
        for line in example().splitlines()
    )
    told = tomllib.loads(shown)
    models: dict[str, type[Section]] = {
        "": CardSettings,
        "wifi": WifiSettings,
        "broker": CardBrokerSettings,
    }
    for table, model in models.items():
        here = told[table] if table else told
        assert set(model.model_fields) == set(here), table


# --- files that are whole ------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o644)
    safe.write(file, "new", 0o600)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]
    safe.remove(file)
    safe.remove(file)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_mount_is_written_as_it_is(tmp_path: Path) -> None:
    with safe.writable(tmp_path):
        (tmp_path / "x").write_text("x")


# --- the status ----------------------------------------------------------------------------------

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
WELL = [Finding("button", "Dream Cheeky"), Finding("broker", "b:1883 answers")]


def test_the_status_says_what_was_found_with_the_line_ends_of_every_laptop() -> None:
    told = status.text("office", Report(configured=True), WELL, NOW)
    assert "Bigred box office, agent" in told
    assert "All is well." in told
    assert told.count("\r\n") == told.count("\n")


def test_the_status_of_a_box_that_is_not_configured_says_what_to_mend() -> None:
    report = Report(configured=False, troubles=("line 3: x", "line 5: y"))
    told = status.text("-", report, [], NOW)
    assert "bigred.toml must be mended:\r\n  - line 3: x\r\n  - line 5: y" in told
    assert "is not configured" in told
    assert "And 1 more." in report.spoken()


def test_the_status_is_written_only_when_it_says_something_else(tmp_path: Path) -> None:
    first = status.text("office", Report(configured=True), WELL, NOW)
    later = status.text("office", Report(configured=True), WELL, NOW.replace(hour=13))
    assert status.write(tmp_path, first)
    assert not status.write(tmp_path, later)
    ill = [Finding("broker", "no answer", "start it")]
    assert status.write(tmp_path, status.text("office", Report(configured=True), ill, NOW))
    assert b"-> start it" in (tmp_path / status.STATUS).read_bytes()


def test_a_report_is_read_as_it_was_saved_and_without_one_all_is_well(tmp_path: Path) -> None:
    report = Report(configured=False, troubles=("a",), notes=("b",))
    before = os.umask(0o077)
    report.save(tmp_path / "run" / "card.json")
    os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    assert Report.load(tmp_path / "run" / "card.json") == report
    assert Report.load(tmp_path / "none") == Report(configured=True)
    assert Report(configured=True).spoken() == ""


def test_what_is_kept_can_not_be_read_from_a_broken_disk_and_that_is_no_crash(
    tmp_path: Path,
) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\x00")
    keeping = Keeping(tmp_path)
    assert (keeping.told(), keeping.pem("ca")) == ({}, None)
    assert not Keeping(Path("/nowhere/box")).lasts


# --- the verbs that the services call ------------------------------------------------------------


def test_the_services_take_the_card_in_and_write_the_status(
    places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report_module, "REPORT", tmp_path / "card.json")
    write(places, "name = office")
    options = ["--card", str(places.card)]
    taken = CliRunner().invoke(main, ["card", "take-in", *options, "--keep", str(places.kept)])
    assert taken.exit_code == 0
    assert "no valid TOML" in taken.output
    written = CliRunner().invoke(main, ["card", "status", *options])
    assert written.exit_code == 0
    assert "no valid TOML" in (places.card / status.STATUS).read_text()


def test_a_complaint_is_spoken_some_times_and_not_where_all_is_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []

    async def speak(text: str, _settings: object) -> None:
        said.append(text)

    monkeypatch.setattr(report_module, "REPORT", tmp_path / "card.json")
    monkeypatch.setattr(once, "speak_once", speak)
    monkeypatch.setattr(card_cli, "EVERY_S", 0.0)
    assert CliRunner().invoke(main, ["card", "complain"]).exit_code == 0
    assert said == []
    Report(configured=False, troubles=("line 3: x",)).save(tmp_path / "card.json")
    assert CliRunner().invoke(main, ["card", "complain"]).exit_code == 0
    assert said == ["I am not configured: line 3: x. See bigred-status.txt on my card."] * 5
