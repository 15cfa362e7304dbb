"""Cards that can be meant in one way only, and what is meant."""

from tests.support.cards import GOOD, HEX, HOST, MEANT, WIFI_KEY, Card, altered

from bigred_agent.card.settings import FILE

_CURLY = GOOD.replace(' "', " \u201c").replace('"\n', "\u201d\n")
_GERMAN = GOOD.replace(' "', " \u201e").replace('"\n', "\u201c\n")


def _taken(title: str, text: str | bytes, file: str = FILE, **meant: object) -> Card:
    raw = text.encode() if isinstance(text, str) else text
    dotted = {key.replace("__", "."): value for key, value in meant.items()}
    return Card(title, raw, {**MEANT, **dotted}, name=file)


def _secret(title: str, written: str, password: str) -> Card:
    meant = {**MEANT, "wifi.password": password}
    return Card(title, altered(WIFI_KEY, written).encode(), meant)


TAKEN = [
    _taken("as it should be", GOOD),
    # Encodings
    _taken("Notepad, Unicode", GOOD.encode("utf-16")),
    _taken("UTF-16, big-endian", b"\xfe\xff" + GOOD.encode("utf-16-be")),
    _taken("UTF-16 without a mark", GOOD.encode("utf-16-le")),
    _taken("UTF-32", GOOD.encode("utf-32")),
    _taken("Notepad, UTF-8", GOOD.encode("utf-8-sig")),
    _taken("Notepad, ANSI", GOOD.encode("cp1252")),
    _taken("curly quotes in Windows-1252", _CURLY.encode("cp1252")),
    _taken("Windows' line ends in UTF-16", GOOD.replace("\n", "\r\n").encode("utf-16")),
    _taken("line ends of an old Mac", GOOD.replace("\n", "\r")),
    _taken("line separators of a web page", GOOD.replace("\n", "\u2028")),
    _taken("blanks that do not break", GOOD.replace(" =", "\u00a0=")),
    _taken("letters without width", GOOD.replace("name", "\u200bname\ufeff")),
    _taken("zeros at the end", GOOD.encode() + bytes(100)),
    # File names
    _taken("Windows hides the ending", GOOD, file="bigred.toml.txt"),
    _taken("capital letters", GOOD, file="BIGRED.TOML"),
    _taken("without an ending", GOOD, file="Bigred"),
    _taken("saved as a text", GOOD, file="bigred.txt"),
    _taken("saved twice by a browser", GOOD, file="bigred (1).toml"),
    _taken("a copy by Windows", GOOD, file="bigred - Kopie.toml"),
    # Quotation marks
    _taken("curly quotes of a phone", _CURLY),
    _taken("German quotes", _GERMAN),
    _taken("French quotes", altered('"office"', "«office»")),
    _taken("one curly quote", altered('"office"', '\u201coffice"')),
    _taken("single curly quotes", altered('"office"', "\u2018office\u2019")),
    _taken("curly quotes and a comment", altered('"office"', "\u201coffice\u201d # ours")),
    _taken(
        "a telephone's network keeps its apostrophe",
        altered('"Büro"', "\u201cAda\u2019s iPhone\u201d"),
        wifi__ssid="Ada\u2019s iPhone",
    ),
    _taken("apostrophe in single quotes", altered('"Büro"', "'Ada's'"), wifi__ssid="Ada's"),
    _taken("no quotes at all", GOOD.replace('"', "")),
    _secret("digits without quotes", "0123456789", "0123456789"),
    _secret("a number for TOML", "1234567890", "1234567890"),
    _secret("a power for TOML", "1234567e8", "1234567e8"),
    _secret("a date for TOML", "2024-12-31", "2024-12-31"),
    _secret("underscores for TOML", "1234_5678", "1234_5678"),
    _taken("a semicolon at the end", altered(HOST, f"{HOST};")),
    _taken("commas as in JSON", altered(HOST, '"host": "broker.lan",')),
    _secret("a quote in the password", '"over"theair"', 'over"theair'),
    _secret("a backslash", r'"C:\over\air"', r"C:\over\air"),
    _secret("a backslash before n", r'"the\night"', r"the\night"),
    _secret("an escape is one", r'"over\\the \"air"', 'over\\the "air'),
    _secret("a phone's apostrophe", '"Ada\u2019s network"', "Ada's network"),
    # Keys and headings
    _taken("capital letters of a phone", altered("name", "Name").replace("[broker]", "[Broker]")),
    _taken("Wi-Fi", GOOD.replace("[wifi]", "[Wi-Fi]").replace("ssid", "SSID")),
    _taken("another word", GOOD.replace("[wifi]", "[WLAN]").replace("[broker]", "[MQTT]")),
    _taken("colons", GOOD.replace(" =", ":")),
    _taken("headings without brackets", GOOD.replace("[", "").replace("]", ":")),
    _taken("half a bracket", GOOD.replace("]", "")),
    _taken("round brackets", GOOD.replace("[", "(").replace("]", ")")),
    _taken("other comments", f"// ours\n; and yours\n-----\n{GOOD}"),
    _taken("numbers in quotes", altered(HOST, f'{HOST}\nport = "1884"'), broker__port=1884),
    _taken("no number at all", altered(HOST, f"{HOST}\nport =")),
    _taken("a decimal comma", f'volume = "0,5"\n{GOOD}', volume=0.5),
    _taken("percent", f"volume = 50 %\n{GOOD}", volume=0.5),
    _taken("yes", f"{GOOD}hidden = Yes", wifi__hidden=True),
    _taken("pins without brackets", f"{GOOD}[lights]\nbar_pins = 5, 6", lights__bar_pins=[5, 6]),
    # Values
    _taken("a name", altered("office", "Kitchen Box"), name="kitchen-box"),
    _taken("a name with umlauts", altered("office", "Küche Süd_2"), name="kueche-sued-2"),
    _taken("a name with an accent", altered("office", "Ada's Café!"), name="adas-cafe"),
    _taken("a country", altered('"DE"', "de")),
    _taken("the United Kingdom", altered('"DE"', '"UK"'), wifi__country="GB"),
    _taken("languages", f'language = "EN-us"\n{GOOD}', language="en"),
    _secret("a key of 64 digits", f'"{HEX}"', HEX),
    _taken("blanks around a host", altered('"broker.lan"', '" broker.lan\t"')),
    _taken(
        "an address with its port",
        altered(HOST, 'host = "192.168.1.5:1883"'),
        broker__host="192.168.1.5",
        broker__port=1883,
    ),
    _taken("a URL", altered(HOST, 'host = "mqtt://broker.lan:1883"'), broker__port=1883),
    _taken("a URL and a path", altered(HOST, 'host = "tcp://broker.lan/"')),
    _taken(
        "a login in the address",
        altered(HOST, "host = mqtt://ada:s%40cret@broker.lan"),
        **{"broker__username": "ada", "broker__password": "s@cret"},
    ),
    _taken("a port twice", altered(HOST, 'host = "broker.lan:18"\nport = 18'), broker__port=18),
    _taken(
        "IPv6",
        altered(HOST, 'host = "[2001:db8::1]:18"'),
        broker__host="2001:db8::1",
        broker__port=18,
    ),
    _taken("IPv6 alone", altered(HOST, 'host = "2001:db8::1"'), broker__host="2001:db8::1"),
    _taken(
        "an address of a printer",
        altered(HOST, 'host = "192.168.001.005"'),
        broker__host="192.168.1.5",
    ),
    _taken("a port after a blank", altered(HOST, "host = broker.lan 18"), broker__port=18),
]
