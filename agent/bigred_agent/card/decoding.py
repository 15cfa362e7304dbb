"""Decodes a text file as Notepad, PowerShell, a Mac or a phone writes it. Pure."""

import codecs
import re

_BOMS = [
    # The longer ones first: that of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]
_DOCUMENTS = {
    b"{\\rtf": "a document of TextEdit or WordPad",
    b"PK\x03\x04": "a document of a word processor, or an archive",
    b"\xd0\xcf\x11\xe0": "a document of Word",
    b"%PDF": "a PDF document",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
}
_BINARY = "it contains characters that no text has"
_OTHER_ENDS = re.compile("\r+\n|\r(?!\n)|[\v\f\x85\u2028\u2029]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Of no width, or a control character of a terminal; copied from web pages, chats and documents.
_UNSEEN = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\x00-\x08\x0e-\x1f\x7f-\x9f]"
)


class NotTextError(ValueError):
    """The bytes are no text file; the text says what they are."""


def decoded(raw: bytes) -> str:
    """Return the text of a file, with line ends of one kind and without unseen characters.

    Raises NotTextError.
    """
    for begin, what in _DOCUMENTS.items():
        if raw.lstrip().startswith(begin):
            raise NotTextError(what)
    # A card that was pulled out too early leaves a tail of zeros, and some editors a Ctrl-Z.
    text = _text(raw).rstrip("\0\x1a")
    if "\0" in text:
        raise NotTextError(_BINARY)
    text = _OTHER_ENDS.sub(lambda end: "\r\n" if end[0].endswith("\r\n") else "\n", text)
    return _UNSEEN.sub("", _BLANKS.sub(" ", text))


def _text(raw: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if raw.startswith(bom)), None)
    if encoding is None:
        encoding = _without_bom(raw.rstrip(b"\0"))
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise NotTextError(_BINARY) from error
    # Old editors on Windows; every other byte means something there.
    return raw.decode("cp1252", "replace")


def _without_bom(raw: bytes) -> str:
    """Recognise UTF-16 by its zeros: a configuration is mostly of Latin letters."""
    for name, zeros in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[::2])):
        if zeros.count(0) * 2 > len(zeros) > 0:
            return name
    return "utf-8"
