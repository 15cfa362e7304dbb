from pathlib import Path

from bigred_server.demo.visit_log import Visit, VisitOutcome, lost, read, write


def visit(user: int, ended_s: float, fate: VisitOutcome) -> Visit:
    return Visit(user, "node1", 1.5, ended_s, fate)


def test_values_round_trip(tmp_path: Path) -> None:
    written = [visit(1, 2.25, VisitOutcome.OPEN), visit(2, 3.0, VisitOutcome.LOST)]
    write(tmp_path / "visits", written)
    assert read(tmp_path / "visits") == written


def test_lost_sessions_are_listed_in_the_order_of_their_discovery() -> None:
    late, early = visit(1, 9.0, VisitOutcome.LOST), visit(2, 4.0, VisitOutcome.LOST)
    assert lost([late, visit(3, 5.0, VisitOutcome.ENDED), early]) == [early, late]
