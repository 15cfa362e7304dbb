"""The live screen: the box, the site, the deployment, what the box says, the server's log. Pure.

It never has more lines than the terminal, nor longer ones. The keys are always there; then come the
deployment, the box's words and the log; the drawing is only left out of a very low terminal.
"""

from collections.abc import Sequence

from rich.text import Text

from bigred_server.demo import sections
from bigred_server.demo.button_drawing import HEIGHT, WIDTH
from bigred_server.demo.picture import Picture
from bigred_server.demo.text_layout import at_most, beside, cut, newest, rule, wrapped

_LEFT = 22
_GAP = 2
_TWO_COLUMNS = 56  # the narrowest terminal with box and site side by side
_LEAST = 2  # a rule and a line
_LEAST_SITE = HEIGHT + 2  # as high as the box beside it
_PARTS = 3  # deployment, words, log
_MOST_WORDS = 3


def screen(picture: Picture, width: int, height: int) -> list[Text]:
    """Draw a moment for a terminal of this size."""
    foot = sections.keys(picture, width)
    left = height - len(foot)
    tops = [
        _top(picture, width, height),
        _top(picture, width, _LEAST_SITE),
        _site(picture, width, _LEAST_SITE),
        [],
    ]
    top = next(top for top in tops if not top or len(top) + _PARTS * _LEAST <= left)
    parts = _parts(picture, width, left - len(top))
    body = [*top, *parts][: max(left, 0)]
    blank = [Text()] * (left - len(body))
    return [cut(line, width) for line in [*body, *blank, *foot][:height]]


def _top(picture: Picture, width: int, rows: int) -> list[Text]:
    art, words = sections.box(picture)
    if width >= _TWO_COLUMNS:
        right = width - _LEFT - _GAP
        box = [rule("the box", _LEFT), *art, *words]
        return beside(box, _site(picture, right, rows), _LEFT, _GAP)
    lower = [Text()] * (HEIGHT - len(words))
    box = [cut(line, width) for line in beside(art, [*lower, *words], WIDTH, _GAP)]
    return [rule("the box", width), *box, *_site(picture, width, rows)]


def _site(picture: Picture, width: int, rows: int) -> list[Text]:
    return [rule("the site", width), *sections.site(picture, width, rows)]


def _parts(picture: Picture, width: int, rows: int) -> list[Text]:
    """Divide the rows: the deployment gets what it needs, the log what is left."""
    first = at_most(_first(picture, width), rows - 2 * _LEAST, width)
    rows -= len(first)
    said = _said(picture, width)
    words = newest(said, min(_MOST_WORDS, rows - _LEAST - 1), width)
    rows -= len(words) + 1
    log = newest([wrapped(text, width, indent=2) for text in picture.log], rows - 1, width)
    return [*first, rule(_title(picture), width), *words, rule("the server", width), *log]


def _said(picture: Picture, width: int) -> list[list[Text]]:
    if not picture.spoken:
        return [[cut(Text("nothing yet", style="dim"), width)]]
    *earlier, last = picture.spoken
    return [
        *(wrapped(f'"{text}"', width, "dim italic", indent=1) for text in earlier),
        wrapped(f'"{last}"', width, "bold italic", indent=1),
    ]


def _first(picture: Picture, width: int) -> Sequence[Text]:
    if picture.starting:
        return [rule("the demo is starting", width), *sections.start(picture, width)]
    return [rule("the deployment", width), *sections.deployment(picture, width)]


def _title(picture: Picture) -> str:
    if picture.box is None:
        return "the box says"
    return f"the box says ({picture.box.voice.engine or sections.NO_VOICE})"
