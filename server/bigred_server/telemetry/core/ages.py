"""What nodes used at every age on the releases before: what the next one is held against. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bigred_server.judge.look import Span

_MOST_RELEASES = 3
_MOST_SPANS = 500


@dataclass
class Ages:
    """Keeps the spans of the last releases, by digest."""

    _spans: dict[str, list[Span]] = field(default_factory=dict)

    def add(self, digest: str, spans: Sequence[Span]) -> None:
        """Take in spans of a release; of the releases before the oldest is forgotten."""
        known = self._spans.pop(digest, [])
        self._spans[digest] = [*known, *spans][-_MOST_SPANS:]
        while len(self._spans) > _MOST_RELEASES:
            del self._spans[next(iter(self._spans))]

    def like(self, digest: str, one: Span) -> list[Span]:
        """Give the spans of a release on nodes that were as old as in this span."""
        return [
            span
            for span in self._spans.get(digest, [])
            if abs(span.age_s - one.age_s) <= 1.5 * one.span_s
        ]
