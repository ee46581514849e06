"""A load that is killed: nothing half-done is served, and the next load goes on from what was settled.

That history is the same in the end is shown in `test_quarantine_release`, where it equals that of a broker whose loads were not killed.
"""

from __future__ import annotations

from spark_jobs.publish.duckdb_store import connect_delta


def test_a_second_load_is_refused_while_one_is_under_way(night):
    assert night.killed.second_ended == 5, night.killed.second_said
    assert "C360-501" in night.killed.second_said and "process" in night.killed.second_said


def test_a_killed_load_serves_nothing(night):
    assert night.killed.served is None


def test_the_next_load_keeps_what_was_settled_and_does_the_rest(night):
    with connect_delta() as connection:
        rows = connection.execute(
            f"select run, count(distinct feed) from delta_scan('{night.first.settings.lake}/meta/deliveries') "
            f"where status = 'loaded' and business_date = '{night.days[0]}' group by run order by run"
        ).fetchall()
    killed, went_on = rows
    assert killed[1] > 0 and went_on[1] > 0 and killed[0] < went_on[0]
