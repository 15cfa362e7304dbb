"""The page of a deployment: its outcome, its receipt and its events, as HTML. Pure.

It needs no script and nothing from elsewhere, and works in any browser.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.event_record import EventRecord
from bigred_server.rollout.core import receipt_text

_EVERY_S = 5
_MOST_EVENTS = 500
_STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color-scheme:light dark}table{border-collapse:collapse}"
    "td,th{padding:.1rem 1rem .1rem 0;text-align:left;vertical-align:top}"
)
# Nothing may be loaded, and nobody may learn the link from a click.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
REFUSED = "This link is not valid, or no longer. `bigred show` prints the same in a terminal."


def of_deployment(
    record: DeploymentRecord, version: str, happened: Sequence[EventRecord], now: float
) -> str:
    """Return the page of a deployment; while it runs, the page loads itself anew."""
    title = f"{record.app} {version}: {record.phase.replace('_', ' ')}"
    begun = [f"requested by {record.who} at {_moment(record.started_at)}"]
    if record.ended_at is None:
        begun.append(f"as of {_moment(now)}")
    body = [_paragraphs(begun + _sentences(record)), _nodes(record), _events(happened)]
    return _page(title, "".join(body), is_over=record.ended_at is not None)


def refused() -> str:
    """Return the page for a link that opens nothing."""
    return _page("Not found", _paragraphs([REFUSED]), is_over=True)


def _sentences(record: DeploymentRecord) -> list[str]:
    receipt = record.receipt
    if receipt is None:
        return [record.reason] if record.reason else []
    if run := receipt.get("jenkins"):
        return [receipt_text.of_job(receipt), f"{run['url']}"]
    return receipt_text.summary(receipt)


def _nodes(record: DeploymentRecord) -> str:
    nodes = (record.receipt or {}).get("per_node", [])
    return _table(receipt_text.TIMES, map(receipt_text.times, nodes)) if nodes else ""


def _events(happened: Sequence[EventRecord]) -> str:
    rows = [(_moment(one.at), one.node or "", one.text) for one in happened[-_MOST_EVENTS:]]
    return _table(("time", "node", "event"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row("th", heads), *(_row("td", row) for row in rows)]
    return f"<table>{''.join(lines)}</table>"


def _row(kind: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{kind}>{escape(cell)}</{kind}>' for cell in cells)}</tr>"


def _paragraphs(texts: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def _page(title: str, body: str, *, is_over: bool) -> str:
    again = "" if is_over else f'<meta http-equiv="refresh" content="{_EVERY_S}">'
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"{again}<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
