"""Resource use of nodes by age on earlier releases: the reference for the next release. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bigred_server.judge.look import Span

_MOST_RELEASES = 3
_MOST_SPANS = 500


@dataclass
class Ages:
    """The spans of the last releases, by digest."""

    _spans: dict[str, list[Span]] = field(default_factory=dict)

    def add(self, digest: str, spans: Sequence[Span]) -> None:
        """Add spans of a release, and forget the release that was updated least recently."""
        known = self._spans.pop(digest, [])
        self._spans[digest] = [*known, *spans][-_MOST_SPANS:]
        while len(self._spans) > _MOST_RELEASES:
            del self._spans[next(iter(self._spans))]

    def like(self, digest: str, one: Span) -> list[Span]:
        """Return the spans of a release on nodes that were as old as in this span."""
        return [
            span
            for span in self._spans.get(digest, [])
            if abs(span.age_s - one.age_s) <= 1.5 * one.span_s
        ]
