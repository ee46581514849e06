"""Ten seconds of what the benchmark of the API does for five minutes: a hundred questions a second, and as many while views change over."""

from __future__ import annotations

from benchmarks.serve import A_SECOND, SWAPS, ask
from tests.postgres import skip_without_postgres

CUSTOMERS, SECONDS = 10_000, 10


def test_no_question_fails_and_no_answer_mixes_revisions(tmp_path) -> None:
    skip_without_postgres()
    found = ask(CUSTOMERS, 500, SECONDS, 2, tmp_path)
    for sent in (found.floor, found.look_up, found.quiet, found.swapped, found.limit):
        assert (sent.faults, sent.mixed) == ([], [])
    assert len(found.quiet.times) == len(found.swapped.times) == A_SECOND * SECONDS
    assert SWAPS >= 10 and len(found.limit.times) > 0
