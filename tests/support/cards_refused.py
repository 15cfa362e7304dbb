"""Cards that nobody can understand, and what the box says about them."""

from tests.support.cards import GOOD, HEX, HOST, WIFI_KEY, Card, altered

from bigred_agent.card.settings import FILE, example


def _refused(title: str, text: str | bytes, said: str, name: str = FILE) -> Card:
    return Card(title, text.encode() if isinstance(text, str) else text, said=said, name=name)


REFUSED = [
    _refused(
        "nothing was filled in",
        example(),
        "In line 20, the address of the broker is empty; write it between the quotation marks.",
    ),
    _refused("an empty file", "", "The name of the box is missing; add it as the first line."),
    _refused(
        "a document of TextEdit",
        rb"{\rtf1\ansi name = office}",
        "My settings are not plain text; save them as a plain text file.",
        name="bigred.toml.rtf",
    ),
    _refused(
        "a picture",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        "My settings are not plain text; save them as a plain text file.",
    ),
    _refused(
        "far too much",
        GOOD + "#" * 100_000,
        "The settings file on my card is too long; start again with the original file.",
    ),
    _refused(
        "another file",
        GOOD,
        "There is no settings file on my card; copy the original file there, and fill it in.",
        name="settings.ini",
    ),
    _refused(
        "no heading of the broker",
        GOOD.replace("[broker]\n", ""),
        "In line 2, there is a setting without its heading; write broker in brackets above it.",
    ),
    _refused(
        "no broker at all",
        'name = "office"',
        "The address of the broker is missing; add it as in the original file.",
    ),
    _refused(
        "no heading of the Wi-Fi",
        GOOD.replace("[wifi]\n", ""),
        "In line 4, there is a setting without its heading; write wifi in brackets above it.",
    ),
    _refused(
        "the heading of the Wi-Fi is a comment",
        GOOD.replace("[wifi]", "#[wifi]"),
        "In line 4, remove the hash sign before the heading wifi.",
    ),
    _refused(
        "the name below the broker",
        '[broker]\nhost = "b"\nname = "office"\n',
        "In line 3, there is a setting below the wrong heading; move it to the top.",
    ),
    _refused(
        "the host below the Wi-Fi",
        GOOD + 'host = "b"\n',
        "In line 8, there is a setting below the wrong heading; move it below broker.",
    ),
    _refused(
        "the Wi-Fi before all headings",
        'name = "office"\nssid = "x"\npassword = "12345678"\ncountry = "DE"\n[broker]\nhost = "b"',
        "In line 2, there is a setting without its heading; write wifi in brackets above it.",
    ),
    _refused(
        "the heading of the Wi-Fi too late",
        'name = "office"\nssid = "x"\n[broker]\nhost = "b"\n[wifi]\ncountry = "DE"',
        "In line 2, there is a setting below the wrong heading; move it below wifi.",
    ),
    _refused(
        "a misspelt key",
        altered("password", "pasword"),
        "In line 6, the first word is not right; it should probably be password of the network.",
    ),
    _refused(
        "an unknown key",
        altered("host", "where"),
        "In line 3, I don't know the first word; compare it with the original file.",
    ),
    _refused(
        "a misspelt heading",
        altered("[broker]", "[brocker]"),
        "In line 2, the first word is not right; it should probably be broker.",
    ),
    _refused(
        "no equals sign",
        altered("name =", "name"),
        "In line 1, there is no equals sign; write it after the first word.",
    ),
    _refused(
        "a letter to the box",
        "Dear box, please help me\n" + GOOD,
        "In line 1, this line is not clear; correct it, or remove it.",
    ),
    _refused(
        "a quotation mark is missing",
        altered('"office"', '"office'),
        "In line 1, the last quotation mark is missing; write it at the end of the line.",
    ),
    _refused(
        "the first quotation mark is missing",
        altered('"broker.lan"', 'broker.lan"'),
        "In line 3, the address of the broker needs a quotation mark at its beginning.",
    ),
    _refused(
        "a word after the quotation mark",
        altered('"office"', '"office" please'),
        "In line 1, there is something after the last quotation mark; remove it.",
    ),
    _refused(
        "two settings in a line",
        GOOD.replace('"\nhost', '" host').replace('"Büro"\npassword', '"Büro" password'),
        "In line 5, there is something after the last quotation mark; remove it.",
    ),
    _refused(
        "a name and more in a line",
        altered('"office"', '"office" language = "en"'),
        "In line 1, there is something after the last quotation mark; remove it.",
    ),
    _refused(
        "an unknown heading",
        altered("[wifi]", "[telephone]"),
        "In line 4, I don't know the first word; compare it with the original file.",
    ),
    _refused(
        "a hash sign in a password without quotes",
        altered(WIFI_KEY, "over#theair"),
        "In line 6, write the password of the network in single quotes.",
    ),
    _refused(
        "backslashes that can be read in two ways",
        altered(WIFI_KEY, r'"over\the\\air"'),
        "In line 6, write the password of the network in single quotes.",
    ),
    _refused(
        "a key twice",
        GOOD + 'country = "FR"\n',
        "In line 8, the country is set once more; remove one of the two lines.",
    ),
    _refused(
        "a heading twice",
        GOOD + "[broker]\n",
        "In line 8, this heading is there twice;"
        " remove it, and move its lines below the first one.",
    ),
    _refused(
        "a short password",
        altered(WIFI_KEY, '"short"'),
        "In line 6, the password of the network is too short; it has at least 8 characters.",
    ),
    _refused(
        "a long password",
        altered(WIFI_KEY, f'"{HEX}z"'),
        "In line 6, the password of the network is too long; it has no more than 63 characters.",
    ),
    _refused(
        "an umlaut in the password",
        altered(WIFI_KEY, '"über die Luft"'),
        "In line 6, the password of the network has a wrong letter; type it again.",
    ),
    _refused(
        "a country in words",
        altered('"DE"', '"Germany"'),
        "In line 7, the country must be two letters; write D E for Germany.",
    ),
    _refused(
        "no country",
        altered('country = "DE"\n', ""),
        "In line 4, no country is set; write it into the next line.",
    ),
    _refused(
        "no name of the network",
        altered('ssid = "Büro"\n', ""),
        "In line 4, the name of the network is missing; write it into the next line.",
    ),
    _refused(
        "a name in Cyrillic",
        altered("office", "кухня"),
        "In line 1, the name of the box needs letters from a to z, or digits.",
    ),
    _refused(
        "a long name",
        altered("office", "the kitchen on the second floor of building B"),
        "In line 1, the name of the box is too long; use no more than 32 letters.",
    ),
    _refused(
        "a web page",
        altered("broker.lan", "http://broker.lan:8123"),
        "In line 3, this is the address of a web page; write only the name of the broker.",
    ),
    _refused(
        "web sockets",
        altered("broker.lan", "ws://broker.lan:9001"),
        "In line 3, I can't use this kind of address; write only the name of the broker.",
    ),
    _refused(
        "no address",
        altered("broker.lan", "the broker in the cellar"),
        "In line 3, this is not an address;"
        " write only the name of the broker, or its four numbers.",
    ),
    _refused(
        "an address with too large a number",
        altered("broker.lan", "192.168.1.500"),
        "In line 3, this is not an address;"
        " write only the name of the broker, or its four numbers.",
    ),
    _refused(
        "an impossible port in the address",
        altered("broker.lan", "broker.lan:99999"),
        "In line 3, the port in the address is not right; remove it to use the usual one.",
    ),
    _refused(
        "two ports",
        altered(HOST, 'host = "broker.lan:1883"\nport = 1884'),
        "In line 3, the address has another port than the line of the port; remove one of them.",
    ),
    _refused(
        "TLS without a certificate",
        altered("broker.lan", "mqtts://broker.lan"),
        "In line 3, this address needs a certificate; name its file in a line that begins with ca.",
    ),
    _refused(
        "a port in words",
        altered(HOST, f"{HOST}\nport = mqtt"),
        "In line 4, the port must be a number; compare it with the original file.",
    ),
    _refused(
        "an impossible port",
        altered(HOST, f"{HOST}\nport = 0"),
        "In line 4, the port is not right; remove this line to use the usual one.",
    ),
    _refused(
        "another language",
        'language = "de"\n' + GOOD,
        "In line 1, I speak only English; remove this line.",
    ),
    _refused(
        "too loud",
        "volume = 11\n" + GOOD,
        "In line 1, the volume is not right; compare it with the original file.",
    ),
    _refused(
        "a private key",
        'ssh_key = "-----BEGIN OPENSSH PRIVATE KEY-----"\n' + GOOD,
        "In line 1, this key must stay with you; use the public key instead.",
    ),
    _refused(
        "a certificate that is not there",
        altered(HOST, f'{HOST}\nca = "ca.pem"'),
        "In line 4, the file is not on my card; copy it there.",
    ),
    _refused(
        "a certificate elsewhere",
        altered(HOST, f'{HOST}\nca = "certs/ca.pem"'),
        "In line 4, write only the name of a file on my card.",
    ),
]
