"""The card: how bigred.toml configures a machine, its errors, and where secrets go."""

import itertools
import json
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
from bigred_agent.card import durable, files, plan, provisioning, secrets, status
from bigred_agent.card import report as report_module
from bigred_agent.card.mistakes import Complaint
from bigred_agent.card.pems import pem_problems
from bigred_agent.card.provisioning import Folders
from bigred_agent.card.report import DETAILS, Report
from bigred_agent.card.settings import (
    FILE,
    KEPT,
    CardBrokerSettings,
    CardSettings,
    WifiSettings,
    example,
)
from bigred_agent.card.store import CardStore
from bigred_agent.cli import main
from bigred_agent.doctor.finding import Finding
from bigred_agent.settings import AgentSettings, VoiceSettings
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
def folders(tmp_path: Path) -> Folders:
    for name in ("card", "store", "root"):
        (tmp_path / name).mkdir()
    return Folders(tmp_path / "card", tmp_path / "store", tmp_path / "root")


def write(folders: Folders, text: str) -> None:
    (folders.card / FILE).write_text(text, encoding="utf-8")


def card(folders: Folders) -> str:
    return (folders.card / FILE).read_bytes().decode()


def agent(folders: Folders) -> AgentSettings:
    file = folders.root / plan.CONFIG
    return parse(file.read_text(), AgentSettings, str(file))


# --- a good card ---------------------------------------------------------------------------------


def test_a_good_card_configures_the_box(folders: Folders) -> None:
    write(folders, GOOD)
    assert provisioning.provision(folders).configured
    settings = agent(folders)
    assert settings.box.name == "office"
    assert (settings.broker.host, settings.broker.port) == ("broker.local", 1883)
    assert settings.broker.password == SECRET
    assert settings.broker.tls is None
    assert (folders.root / "etc/hostname").read_text() == "office\n"
    network = folders.root / "var/lib/iwd/=42c3bc726f.psk"
    assert network.read_text() == "[Security]\nPassphrase=over the air\n"
    assert "Country=DE" in (folders.root / "etc/iwd/main.conf").read_text()
    assert not (folders.root / "root/.ssh").exists()


def test_the_agent_can_read_its_configuration_whatever_the_umask(folders: Folders) -> None:
    write(folders, GOOD.replace("[broker]", 'ssh_key = "ssh-rsa AAAA"\n[broker]', 1))
    before = os.umask(0o077)
    try:
        provisioning.provision(folders)
    finally:
        os.umask(before)
    assert (folders.root / plan.CONFIG).parent.stat().st_mode & 0o777 == 0o755
    assert (folders.root / plan.CONFIG).stat().st_mode & 0o777 == 0o640
    for folder in ("root/.ssh", "var/lib/iwd"):
        assert (folders.root / folder).stat().st_mode & 0o777 == 0o700


def test_the_secrets_leave_the_card_and_everything_else_stays(folders: Folders) -> None:
    write(folders, GOOD.replace("\n", "\r\n"))
    report = provisioning.provision(folders)
    assert report.notes == ("the secrets were moved from the card into the box",)
    text = card(folders)
    assert "s3cret" not in text
    assert "over the air" not in text
    assert f'password = "{KEPT}"  # the broker\'s\r\n' in text
    assert "# our box\r\n" in text
    assert [path.name for path in folders.card.iterdir()] == [FILE]


def test_the_box_is_the_same_at_the_next_start(folders: Folders) -> None:
    write(folders, GOOD)
    provisioning.provision(folders)
    before = agent(folders)
    redacted = card(folders)
    report = provisioning.provision(folders)
    assert (report.configured, report.problems, report.notes) == (True, (), ())
    assert agent(folders) == before
    assert card(folders) == redacted


def test_a_new_password_on_the_card_replaces_the_stored_one(folders: Folders) -> None:
    write(folders, GOOD)
    provisioning.provision(folders)
    write(folders, card(folders).replace(f'"{KEPT}"  #', '"another"  #'))
    provisioning.provision(folders)
    assert agent(folders).broker.password == ANOTHER
    assert "another" not in card(folders)


def test_only_root_can_read_the_stored_files(folders: Folders) -> None:
    write(folders, GOOD)
    provisioning.provision(folders)
    for path in (*folders.store.iterdir(), folders.root / plan.CONFIG):
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
def test_a_secret_leaves_the_card_however_it_is_written(folders: Folders, line: str) -> None:
    text = f'name = "office"\n{line}\n[broker]\nhost = "b"\n'
    if line.startswith("wifi ="):
        text = f'{line}\nname = "office"\n[broker]\nhost = "b"\n'
    write(folders, text)
    assert provisioning.provision(folders).configured
    assert "over the air" not in card(folders)
    tables = tomllib.loads(card(folders))
    assert tables["wifi"] == {"ssid": "x", "password": KEPT, "country": "DE"}
    assert provisioning.provision(folders).notes == ()


def test_a_power_cut_before_the_card_is_redacted_loses_nothing(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folders, GOOD)
    whole = durable.write
    for survived in itertools.count():
        left = iter(range(survived))

        def cut(file: Path, content: str, mode: int = 0o600) -> None:
            if next(left, None) is None:  # noqa: B023
                raise KeyboardInterrupt
            whole(file, content, mode)

        monkeypatch.setattr(durable, "write", cut)
        try:
            provisioning.provision(folders)
            break
        except KeyboardInterrupt:
            monkeypatch.setattr(durable, "write", whole)
            provisioning.provision(folders)
            assert agent(folders).broker.password == SECRET
            write(folders, GOOD)
    assert survived >= 5


def test_the_secrets_stay_on_the_card_if_the_box_cannot_store_them(folders: Folders) -> None:
    write(folders, GOOD)
    folders.store.rmdir()
    folders.store.write_text("a file")
    report = provisioning.provision(folders)
    assert report.configured
    assert "can't store" in report.notes[0]
    assert card(folders) == GOOD


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


def test_certificates_on_the_card_are_used_and_the_key_leaves_the_card(
    folders: Folders, pems: dict[str, str]
) -> None:
    write(folders, TLS)
    for key, name in NAMES.items():
        (folders.card / name).write_text(pems[key])
    assert provisioning.provision(folders).configured
    broker = agent(folders).broker
    assert broker.port == 8883
    assert broker.tls is not None
    assert broker.tls.key == Path("/etc/bigred/key.pem")
    assert (folders.root / "etc/bigred/key.pem").read_text() == pems["key"]
    assert sorted(path.name for path in folders.card.iterdir()) == [
        FILE,
        "office.crt",
        "our-ca.pem",
    ]
    (folders.root / "etc/bigred/key.pem").unlink()
    assert provisioning.provision(folders).configured
    assert (folders.root / "etc/bigred/key.pem").read_text() == pems["key"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ca": None}, "broker.ca: there is no our-ca.pem on the card"),
        ({"ca": "hello"}, "broker.ca is not a certificate in PEM format"),
        ({"key": "hello"}, "do not belong together"),
        ({"key": None, "ca": None}, "broker.ca: there is no our-ca.pem on the card"),
    ],
)
def test_an_invalid_certificate_is_reported(
    folders: Folders, pems: dict[str, str], change: dict[str, str | None], why: str
) -> None:
    write(folders, TLS)
    for key, name in NAMES.items():
        if (text := {**pems, **change}[key]) is not None:
            (folders.card / name).write_text(text)
    report = provisioning.provision(folders)
    assert not report.configured
    assert why in report.problems[0]
    assert not (folders.root / plan.CONFIG).exists()


def test_a_key_of_another_certificate_is_reported(pems: dict[str, str]) -> None:
    other = ssl.DER_cert_to_PEM_cert(b"no certificate at all")
    assert pem_problems({**pems, "certificate": other})
    assert pem_problems(pems) == []


# --- an invalid card -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the name of the box is missing"),
        (example(), "broker.host is empty; write it between the quotation marks"),
        ("name = office = [", "the address of the broker is missing"),
        (GOOD.replace('"office"\n[', '"кухня"\n['), "line 2: the name of the box has no letter"),
        (GOOD.replace("ssid", "sid"), "line 8: unknown key 'sid'; did you mean 'ssid'"),
        (GOOD.replace("over the air", "short"), "8 to 63 characters"),
        (GOOD.replace('"DE"', '"Germany"'), "line 10: country must be two letters"),
        (GOOD.replace("broker.local", "http://b:1"), "'http://b:1' is the address of a web page"),
        (GOOD.replace("[wifi]", 'key = "x"\n[wifi]'), "certificate and key must be set together"),
        (GOOD.replace("[broker]", 'ssh_key = "x"\n[broker]'), "this is not a public SSH key"),
        (
            GOOD.replace("[broker]", 'ssh_key = "-----BEGIN OPENSSH PRIVATE KEY-----"\n[broker]'),
            "this is a private key",
        ),
        (GOOD.replace("[broker]", 'language = "fr"\n[broker]'), "exist only in 'en'"),
        (GOOD.replace('"s3cret # no comment"', f'"{KEPT}"'), "this box has none stored"),
        ("x" * 100_000, "too long"),
        ("[", "line 1: this line is not understood"),
    ],
)
def test_an_invalid_entry_is_reported_with_its_line_and_leaves_the_box_unconfigured(
    folders: Folders, text: str, why: str
) -> None:
    write(folders, text)
    report = provisioning.provision(folders)
    assert not report.configured
    assert why in "\n".join(report.problems)
    assert not any(one.startswith(("line  ", FILE + ":")) for one in report.problems)
    assert not (folders.root / plan.CONFIG).exists()
    assert card(folders) == text
    assert report.spoken().startswith("I am not configured. ")
    assert report.spoken().endswith(DETAILS)


def test_a_card_without_the_file_is_reported(folders: Folders) -> None:
    report = provisioning.provision(folders)
    assert (report.configured, report.problems) == (False, (provisioning.NO_FILE.written,))


@pytest.mark.parametrize("damage", ["name = office\n", ""])
def test_a_configured_box_falls_back_to_its_previous_configuration(
    folders: Folders, damage: str
) -> None:
    write(folders, GOOD)
    provisioning.provision(folders)
    (folders.root / plan.CONFIG).unlink()
    if damage:
        write(folders, damage)
    else:
        (folders.card / FILE).unlink()
    report = provisioning.provision(folders)
    assert report.configured
    assert report.problems
    assert report.spoken().startswith("There is a mistake in my settings. ")
    assert agent(folders).broker.password == SECRET


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(folders: Folders) -> None:
    (folders.card / FILE).write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert provisioning.provision(folders).configured


def test_a_file_that_is_not_text_is_reported(folders: Folders) -> None:
    (folders.card / FILE).write_bytes(b"\x7fELF\x00\x01")
    assert "is not plain text" in provisioning.provision(folders).problems[0]


def test_a_file_that_can_t_be_read_is_reported(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_card: Path) -> None:
        raise OSError("Input/output error")

    monkeypatch.setattr(files, "settings_file", broken)
    report = provisioning.provision(folders)
    assert report.problems == (
        "bigred.toml can't be read: Input/output error; copy it to the card again",
    )
    assert "I can't read the settings file on my card; copy it there again." in report.spoken()


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
def test_a_network_is_written_in_the_format_of_iwd(
    ssid: str, password: str, name: str, content: str
) -> None:
    planned = plan.wifi(WifiSettings(ssid=ssid, password=password, country="DE"))
    assert (planned.path.name, planned.content) == (name, content)
    assert planned.mode == 0o600


def test_a_hidden_network_is_marked_as_hidden() -> None:
    tables = {"ssid": "x", "password": "12345678", "country": "DE", "hidden": True}
    planned = plan.wifi(WifiSettings.model_validate(tables))
    assert planned.content.endswith("[Settings]\nHidden=true\n")


def test_the_owner_of_an_ssh_key_may_log_in(folders: Folders) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 ada@example"
    write(folders, GOOD.replace("[broker]", f'ssh_key = "{key}"\n[broker]', 1))
    assert provisioning.provision(folders).configured
    file = folders.root / "root/.ssh/authorized_keys"
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_lights_with_their_patterns_reach_the_agent() -> None:
    steps = [["white", 0.1], ["off", 0.1], ["blue", 0.3], ["off", 2.0]]
    tables = {**tomllib.loads(GOOD), "lights": {"bar_pins": [5], "patterns": {"idle": steps}}}
    settings = CardSettings.model_validate(tables)
    read = parse(plan.agent_toml(settings), AgentSettings, "agent.toml")
    assert read.lights == settings.lights


VALUES = st.one_of(
    st.text(), st.booleans(), st.integers(-(2**53), 2**53), st.lists(st.integers(0, 27), max_size=3)
)
KEYS = st.from_regex(r"\A[a-z_]{1,8}\Z")


@given(
    st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=5)
)
def test_written_tables_read_back_the_same(tables: dict[str, object]) -> None:
    assert tomllib.loads(secrets.toml(tables)) == tables


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8, max_size=63))
def test_any_password_leaves_the_card(password: str) -> None:
    text = GOOD.replace("'over the air'", secrets.toml({"x": password}).strip()[4:])
    redacted = secrets.redacted(text, tomllib.loads(text))
    tables = tomllib.loads(redacted)
    assert (tables["wifi"]["password"], tables["broker"]["password"]) == (KEPT, KEPT)
    assert "# our box" in redacted


def test_the_annotated_file_shows_every_key() -> None:
    shown = "\n".join(
        line[1:] if line[:1] == "#" and line[1:2] not in (" ", "") else line
        for line in example().splitlines()
    )
    tables = tomllib.loads(shown)
    models: dict[str, type[Section]] = {
        "": CardSettings,
        "wifi": WifiSettings,
        "broker": CardBrokerSettings,
    }
    for table, model in models.items():
        section = tables[table] if table else tables
        assert set(model.model_fields) == set(section), table


# --- durable files -------------------------------------------------------------------------------


def test_a_file_is_replaced_completely_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    file.chmod(0o644)
    durable.write(file, "new", 0o600)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [file]
    durable.remove(file)
    durable.remove(file)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_a_mount_point_is_left_alone(tmp_path: Path) -> None:
    with durable.writable(tmp_path):
        (tmp_path / "x").write_text("x")


# --- the status ----------------------------------------------------------------------------------


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> str:
    """The box's addresses, instead of this machine's."""
    monkeypatch.setattr(status, "addresses", lambda: "eth0 192.0.2.7")
    return "eth0 192.0.2.7"


def test_the_addresses_are_listed_by_interface() -> None:
    one = {"ifname": "eth0", "addr_info": [{"local": "192.0.2.7"}, {"local": "2001:db8::7"}]}
    other = {"ifname": "wlan0", "addr_info": [{}]}
    assert status.addresses_in(json.dumps([one, other])) == "eth0 192.0.2.7, eth0 2001:db8::7"
    assert status.addresses_in("no JSON") == ""


NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OK = [Finding("button", "Dream Cheeky"), Finding("broker", "b:1883 answers")]


def test_the_status_lists_the_findings_with_line_ends_for_every_editor(addresses: str) -> None:
    text = status.text("office", Report(configured=True), OK, NOW)
    assert "Bigred box office, agent" in text
    assert addresses in text
    assert "All is well." in text
    assert text.count("\r\n") == text.count("\n")


@pytest.mark.usefixtures("addresses")
def test_the_status_of_an_unconfigured_box_lists_the_problems() -> None:
    complaints = [Complaint("X.", "line 3: x"), Complaint("Y.", "line 5: y")]
    report = Report.of(configured=False, complaints=complaints)
    text = status.text("-", report, [], NOW)
    assert "Problems in bigred.toml:\r\n  - line 3: x\r\n  - line 5: y" in text
    assert "is not configured" in text
    assert report.spoken() == f"I am not configured. X. There is one more mistake. {DETAILS}"


@pytest.mark.usefixtures("addresses")
def test_the_status_is_written_only_if_it_changed(tmp_path: Path) -> None:
    first = status.text("office", Report(configured=True), OK, NOW)
    later = status.text("office", Report(configured=True), OK, NOW.replace(hour=13))
    assert status.write(tmp_path, first)
    assert not status.write(tmp_path, later)
    problem = [Finding("broker", "no answer", "start it")]
    assert status.write(tmp_path, status.text("office", Report(configured=True), problem, NOW))
    assert b"-> start it" in (tmp_path / status.STATUS).read_bytes()


def test_a_saved_report_loads_the_same_and_a_missing_one_has_no_problems(tmp_path: Path) -> None:
    report = Report(configured=False, problems=("a",), notes=("b",), said="A.")
    before = os.umask(0o077)
    report.save(tmp_path / "run" / "card.json")
    os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
    assert Report.load(tmp_path / "run" / "card.json") == report
    assert Report.load(tmp_path / "none") == Report(configured=True)
    assert Report(configured=True).spoken() == ""


def test_a_damaged_store_counts_as_empty(
    tmp_path: Path,
) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\x00")
    store = CardStore(tmp_path)
    assert (store.tables(), store.pem("ca")) == ({}, None)
    assert not CardStore(Path("/nowhere/box")).is_persistent


# --- the commands of the services ----------------------------------------------------------------


@pytest.mark.usefixtures("addresses")
def test_the_services_configure_the_box_and_write_the_status(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report_module, "REPORT", tmp_path / "card.json")
    write(folders, "name = office\n")
    options = ["--card", str(folders.card)]
    provisioned = CliRunner().invoke(
        main, ["card", "provision", *options, "--store", str(folders.store)]
    )
    assert provisioned.exit_code == 0
    assert "the address of the broker is missing" in provisioned.output
    written = CliRunner().invoke(main, ["card", "status", *options])
    assert written.exit_code == 0
    assert "the address of the broker is missing" in (folders.card / status.STATUS).read_text()


def test_a_problem_is_spoken_five_times_and_nothing_without_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[tuple[str, str, int]] = []

    async def speak(text: str, settings: VoiceSettings) -> None:
        said.append((text, settings.voice, settings.rate))

    monkeypatch.setattr(report_module, "REPORT", tmp_path / "card.json")
    monkeypatch.setattr(once, "speak_once", speak)
    monkeypatch.setattr(card_cli, "EVERY_S", 0.0)
    assert CliRunner().invoke(main, ["card", "announce"]).exit_code == 0
    assert said == []
    report = Report.of(configured=False, complaints=[Complaint("In line 3, x.", "line 3: x")])
    report.save(tmp_path / "card.json")
    assert CliRunner().invoke(main, ["card", "announce"]).exit_code == 0
    sentence = f"I am not configured. In line 3, x. {DETAILS}"
    assert said == [(sentence, *plan.VOICES["en"])] * 5
