"""An extract says what is published and is never written twice; relations come back only when they are whole and decide nothing they rest on."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from spark_jobs.contracts import load_catalogue
from spark_jobs.errors import C360Error, ConfigurationError
from spark_jobs.formats import delimited
from spark_jobs.handover.extract import extract, read_layout
from spark_jobs.handover.relations import FEED, PLATFORM, import_relations
from spark_jobs.ingest.deliveries import find_delivery
from spark_jobs.io import Lake
from spark_jobs.publish.dictionary import read_dictionary, read_tables

DAY = date(2026, 9, 30)
COLUMNS = "account_no|line|employee_no|relation|main_service|ratio|effective_from|approved_on"
# A reworked one takes a fifth of the first account from E1; E2's second relation is not in force yet.
ROWS = ["A1|NORMAL|E1|SERVE|1|0.6|20260101|20251220", "A1|NORMAL|E2|DEVELOP|0|0.4|20260101|20251220",
        "A2|CREDIT|E2|BROKER|1|1|20260101|20251220", "A2|CREDIT|E1|SERVE|0|0.5|20261101|20260929"]  # fmt: skip
REWORKED = [ROWS[0].replace("0.6", "0.4"), ROWS[1].replace("0.4", "0.6"), *ROWS[2:]]


@pytest.fixture
def firm(tmp_path) -> SimpleNamespace:
    """A published file of one day and month with two attributed incomes."""
    folder = tmp_path / "published" / "revisions"
    folder.mkdir(parents=True)
    given = {
        "business_date": DAY,
        "as_of_date": DAY,
        "accrual_date": DAY,
        "origin_date": DAY,
        "performance_month": "2026-09",
        "period": "2026-09",
    }
    kinds = {"string": "varchar", "bigint": "bigint"}
    entries = [*read_dictionary(), *read_tables()]
    with duckdb.connect(str(folder / "000007.duckdb")) as connection:
        connection.execute("create table publication as select date '2026-09-30' as business_date, 7 as revision")
        for one in read_layout().files:
            columns = [(entry.column, entry.data_type) for entry in entries if entry.mart == one.table]
            declared = ", ".join(f"{name} {kinds.get(kind, kind)}" for name, kind in columns)
            connection.execute(f"create table {one.table} ({declared})")
            for employee, amount in (("E2", "-0.05"), ("E1", "12.50")):
                row = [
                    given.get(name, employee if name == "employee_id" else Decimal(amount) if kind == "decimal(18,2)" else None)
                    for name, kind in columns
                ]  # fmt: skip
                connection.execute(f"insert into {one.table} values ({', '.join('?' * len(row))})", row)
    _point_at(tmp_path, 7)
    catalogue = Path(__file__).parents[2] / "spark_jobs" / "catalog"
    return SimpleNamespace(
        published=tmp_path / "published", handover=tmp_path / "handover", landing=tmp_path / "landing", catalogue=catalogue,
        lake=str(tmp_path / "lake"), relation_lag_trading_days=1,
    )  # fmt: skip


def _point_at(home: Path, revision: int) -> None:
    pointer = {"revision": revision, "file": "revisions/000007.duckdb", "as_of_date": "2026-09-30"}
    (home / "published" / "current.json").write_text(json.dumps(pointer))


def test_a_month_is_extracted_with_totals_that_the_files_hold(firm):
    folder, is_new = extract(firm, "2026-09")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (
        is_new and folder.name == "v2_r000007" and (manifest["revision"], manifest["as_of_date"]) == (7, "2026-09-30")
    )
    assert [entry["name"] for entry in manifest["files"]] == [
        "performance_202609.txt", "comparison_202609.txt", "accrual_202609.txt", "attribution_202609.txt", "adjustment_202609.txt",
    ]  # fmt: skip
    for entry, declared in zip(manifest["files"], read_layout().files, strict=True):
        content = (folder / entry["name"]).read_bytes()
        facts = delimited.inspect(str(folder / entry["name"]))
        assert (facts.feed, facts.stated_date, facts.columns) == (entry["feed"], "20260930", declared.columns)
        assert (len(content), hashlib.sha256(content).hexdigest(), facts.rows) == (entry["bytes"], entry["sha256"], 2)
        rows = [line.split("|") for line in content.decode("gb18030").splitlines()[2:-1]]
        for total in declared.totals:
            place = declared.columns.index(total)
            assert str(sum(Decimal(row[place]) for row in rows)) == entry["control_totals"][f"sum({total})"] == "12.45"


def test_a_day_has_what_is_told_by_day_in_the_order_of_its_key(firm):
    folder, _ = extract(firm, "2026-09-30")
    assert sorted(path.name for path in folder.iterdir()) == [
        "accrual_20260930.txt",
        "attribution_20260930.txt",
        "manifest.json",
    ]
    lines = (folder / "attribution_20260930.txt").read_text("gb18030").splitlines()
    assert [line.split("|")[:2] for line in lines[2:-1]] == [["20260930", "E1"], ["20260930", "E2"]]


def test_the_same_revision_writes_nothing_and_another_one_another_folder(firm, tmp_path):
    folder, _ = extract(firm, "2026-09")
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert extract(firm, "2026-09") == (folder, False)
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    _point_at(tmp_path, 8)
    assert extract(firm, "2026-09")[0].name == "v2_r000008"


def test_an_extract_that_was_killed_is_no_extract(firm, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("spark_jobs.handover.extract.os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            extract(firm, "2026-09")
    assert extract(firm, "2026-09")[1]


@pytest.mark.parametrize("scope", ["2026-10", "2026-09-29", "2026", "x"])
def test_what_is_not_published_is_not_extracted(firm, scope):
    with pytest.raises(ConfigurationError, match="C360-198"):
        extract(firm, scope)
    assert not firm.handover.exists()


def test_a_file_that_lacks_a_column_of_the_layout_is_not_extracted(firm):
    with duckdb.connect(str(firm.published / "revisions" / "000007.duckdb")) as connection:
        connection.execute("alter table adjustment drop decision_number")
    with pytest.raises(ConfigurationError, match="lacks decision_number"):
        extract(firm, "2026-09")


def test_an_extract_that_was_changed_is_told_and_left(firm):
    folder, _ = extract(firm, "2026-09-30")
    (folder / "attribution_20260930.txt").write_text("changed")
    with pytest.raises(ConfigurationError, match="C360-198"):
        extract(firm, "2026-09-30")
    assert (folder / "attribution_20260930.txt").read_text() == "changed"


@pytest.fixture
def incoming(spark, firm) -> Path:
    """Where the platform delivers, for a lake that knows two employees on that day and one more the day after."""
    staff = [("E1", DAY), ("E2", DAY), ("E3", date(2026, 10, 8))]
    frame = spark.createDataFrame(staff, "employee_id string, business_date date").coalesce(1)
    Lake(spark, firm.lake).append(frame, "gold", "employees", {})
    return firm.handover / "incoming"


def delivered(
    incoming: Path, rows: list[str], total: str = "2.5", based_on: str = "2026-09-30", **changes: object
) -> None:
    folder = incoming / DAY.isoformat() / PLATFORM
    folder.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in [f"#H|{PLATFORM}|20260930", COLUMNS, *rows, f"#T|{len(rows)}"]).encode()
    name = "performance_relations_20260930.txt"
    (folder / name).write_bytes(content)
    manifest = {
        "feed": PLATFORM, "business_date": DAY.isoformat(), "kind": "daily", "based_on": {"as_of_date": based_on},
        "files": [{"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "rows": len(rows)}],
        "control_totals": {"rows": str(len(rows)), "sum(pay_ratio)": total},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def landed(firm) -> list[str]:
    return (firm.landing / DAY.isoformat() / FEED / "staff_relations_20260930.txt").read_text("gb18030").splitlines()


def test_relations_become_a_delivery_the_load_takes_and_a_reworked_one_replaces_it(firm, incoming):
    delivered(incoming, ROWS)
    assert import_relations(firm, DAY, incoming) == (4, True)
    first = find_delivery(firm.landing, load_catalogue(firm.catalogue)[FEED], DAY)
    assert landed(firm)[2:4] == ["A1|1|E1|2|1|0.6|20260101|20251220", "A1|1|E2|1|0|0.4|20260101|20251220"]
    assert import_relations(firm, DAY, incoming) == (4, False)
    delivered(incoming, REWORKED, based_on="2026-09-29")
    assert import_relations(firm, DAY, incoming) == (4, True)
    second = find_delivery(firm.landing, load_catalogue(firm.catalogue)[FEED], DAY)
    assert landed(firm)[2] == "A1|1|E1|2|1|0.4|20260101|20251220"
    assert second.digest != first.digest and second.rows == 4
    assert sorted(path.name for path in (firm.landing / DAY.isoformat() / FEED).iterdir()) == [
        "manifest.json", "staff_relations_20260930.txt",
    ]  # fmt: skip


@pytest.mark.parametrize(("lag", "based_on", "refused"), [
    (1, "2026-10-08", True), (1, "2026-09-30", False), (0, "2026-09-30", True), (0, "2026-09-29", False),
])  # fmt: skip
def test_relations_never_rest_on_figures_they_decide(firm, incoming, lag, based_on, refused):
    firm.relation_lag_trading_days = lag
    delivered(incoming, REWORKED, based_on=based_on)
    if refused:
        with pytest.raises(ConfigurationError, match="whose figures they decide"):
            import_relations(firm, DAY, incoming)
        assert not firm.landing.exists()
    else:
        assert import_relations(firm, DAY, incoming)[1]


def test_every_broken_rule_is_told_with_its_rows_and_nothing_lands(firm, incoming):
    wrong = [
        "A1|NORMAL|E1|SERVE|1|0.6|20260101|20251220", "A1|NORMAL|E3|SERVE|0|0.3|20260101|20251220", "A2|SHARES|E1|SERVE|0|1|20260101|20251220",
        "A3|FUND|E1|SERVE|X|1|20260101|20251220", "A4|FUND|E1|SERVE|0|1.5|20261301|20251220", "A5|FUND|E1|SERVE|0|1|20260101|",
        "A6|FUND|E1|SERVE|0|0.5|20260101|20251220", "A6|FUND|E1|SERVE|0|0.5|20260101|20251220", "A7|FUND",
    ]  # fmt: skip
    delivered(incoming, wrong, total="6.3")
    with pytest.raises(ConfigurationError, match="C360-199") as caught:
        import_relations(firm, DAY, incoming)
    told = caught.value.where
    for part in (
        "1 rows cannot be read: rows 9", "rows lack a value: rows 6, 9", "1 rows have a code the layout does not know: rows 3",
        "1 rows have a ratio that is no fraction from 0 to 1 with at most eight decimals: rows 5", "neither 1 nor 0: rows 4",
        "1 rows name an employee the staff list of that day does not have: rows 2", "2 rows stand twice for account, line and employee: rows 7, 8",
        "2 rows belong to an account whose ratios in force do not add up to one: rows 1, 2", "sum(pay_ratio) is 6.3, the file holds 6.40000000: +0.1",
    ):  # fmt: skip
        assert part in told, told
    assert "A1" not in told and not firm.landing.exists()


def test_a_manifest_that_disagrees_is_told_with_the_command_of_this_step(firm, incoming):
    with pytest.raises(C360Error, match="C360-301"):
        import_relations(firm, DAY, incoming)
    delivered(incoming, ROWS, files=[])
    with pytest.raises(C360Error, match="C360-303") as caught:
        import_relations(firm, DAY, incoming)
    assert "c360 handover import" in caught.value.next_step
    delivered(incoming, ROWS, based_on="yesterday")
    with pytest.raises(ConfigurationError, match="based_on"):
        import_relations(firm, DAY, incoming)


def test_a_delivery_of_another_sender_is_replaced_only_when_told_to(firm, incoming):
    folder = firm.landing / DAY.isoformat() / FEED
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"feed": "staff_platform__relations"}')
    delivered(incoming, ROWS)
    with pytest.raises(ConfigurationError, match="another sender"):
        import_relations(firm, DAY, incoming)
    assert import_relations(firm, DAY, incoming, replace=True)[1]
