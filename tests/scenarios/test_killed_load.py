"""A load that is killed, really, with signal 9: nothing half-done is served, and the next load goes on from what was settled.

That it arrives at truth is shown with the broker's other claims in `test_counter_migration`.
"""

from __future__ import annotations

from spark_jobs.publish.duckdb_store import connect_delta


def test_a_second_load_is_refused_while_one_is_under_way(moved):
    assert moved.killed.second_ended == 5, moved.killed.second_said
    assert "C360-501" in moved.killed.second_said and "process" in moved.killed.second_said


def test_a_killed_load_serves_nothing(moved):
    assert moved.killed.served is None


def test_the_next_load_keeps_what_was_settled_and_does_the_rest(moved):
    with connect_delta() as connection:  # a test of the migration may have sent a shadow again, in a run of its own
        rows = connection.execute(
            f"select run, count(distinct feed) from delta_scan('{moved.settings.lake}/meta/deliveries') "
            "where status = 'loaded' and feed not like 'shadow%' group by run order by run"
        ).fetchall()
    killed, went_on = rows
    assert killed[1] > 0 and went_on[1] > 0 and killed[0] < went_on[0]
    assert moved.loaded.summary["published"] == [day.isoformat() for day in moved.days[1:]]
