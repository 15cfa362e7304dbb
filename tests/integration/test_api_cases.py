"""Every answer of the HTTP API is as its description says; `./bigred bench api_cases` asks more."""

from pathlib import Path

from tests.support.api_cases import CALLERS, run, site_of

DEADLINE_S = 120.0
EXAMPLES = 3
ROUTES = 12


def test_every_answer_to_every_role_is_described(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    with site.listening():
        for caller in CALLERS:
            count = run(site, caller, EXAMPLES, DEADLINE_S, systematic=caller == "admin")
            assert count > ROUTES
    assert "Traceback" not in site.log()
