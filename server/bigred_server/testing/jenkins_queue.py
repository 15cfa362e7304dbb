"""How the fake Jenkins takes requests into its queue and out of it, as Jenkins 2.528 does."""

from collections.abc import Iterable
from http import HTTPStatus

from bigred_server.testing.jenkins_pages import FakeAnswer, FakeItem


def folded(items: Iterable[FakeItem], form: dict[str, str], user: str) -> FakeItem | None:
    """Fold a request into an item that waits with the same parameters, if there is one.

    This is `ScheduleResult.existing`: the item keeps its id, and gets another cause.
    """
    for item in items:
        if not item.has_left and item.parameters == form:
            item.others.append(user)
            return item
    return None


def scheduled(item: FakeItem, *, existing: bool) -> FakeAnswer:
    """Return the answer to a request: only one with parameters tells that it was folded."""
    status = HTTPStatus.SEE_OTHER if existing and item.parameters else HTTPStatus.CREATED
    # Its own name for itself, which is not always the one that we use.
    location = f"http://jenkins.internal/queue/item/{item.id}/"
    return FakeAnswer(status, b"", (("location", location),))


def cancelled(item: FakeItem | None, status: int) -> FakeAnswer:
    """Cancel an item, and answer with a status.

    204: as it should be. 302: so does an old Jenkins, whether it was cancelled or not.
    422: the user may not. 500: it could not be done. Whatever has left the queue is missing.
    """
    old = FakeAnswer(HTTPStatus.FOUND, b"", (("location", "."),))
    if item is None or item.has_left:
        return old if status == HTTPStatus.FOUND else FakeAnswer(404, b"<html>not found")
    if status >= HTTPStatus.BAD_REQUEST:
        return FakeAnswer(status, b"<html>A problem occurred while processing the request")
    item.state, item.why = "cancelled", None
    return old if status == HTTPStatus.FOUND else FakeAnswer(HTTPStatus.NO_CONTENT)
