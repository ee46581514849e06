"""History of a large feed against the textbook MERGE, and against itself: `python -m benchmarks.history [--keys 1000000] [--write]`.

A day of 15 columns in which 1 % of the rows changed, 0.1 % are gone and 0.1 % are new. Ours is what a load does after its verdicts: slice, fingerprint, edges.
One warm virtual machine, CPU seconds of the process tree, medians of runs that take turns; the answers are held against each other first.
The textbook is run twice: as Spark and Delta come, which is what its documentation describes and what the ratio is to, and with the settings of a load.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks import textbook
from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.cost import Cost
from spark_jobs import chronicle
from spark_jobs.chains import Link
from spark_jobs.chronicle import Loaded, Rows
from spark_jobs.config import load_settings
from spark_jobs.contracts import Column, Contract
from spark_jobs.history import HASH, fingerprints, intervals, row_hash
from spark_jobs.io import DAY, Lake
from spark_jobs.jobs.restate import link_data
from spark_jobs.session import build_session

FIRST, RANGE, LOG, RUNS, LONG_RUNS, WARM = date(2026, 1, 1), 20, 60, 5, 3, 20
FEW_KEYS, WARM_KEYS = 10_000, 50_000
COLUMNS = (
    "account_id", "client_number", "branch_id", "account_kind", "account_status", "opened_date", "risk_level", "client_name_masked",
    "mobile_phone_token", "commission_rate", "balance_amount", "frozen_amount", "market_value_amount", "last_trade_date", "updated_at",
)  # fmt: skip
CONTRACT = Contract(
    "accounts", {}, "", "reference", "parquet", "", "", "", ("account_id",), "full", "hold",
    tuple(Column(name, name, "string") for name in COLUMNS),
)  # fmt: skip


def day_of(number: int) -> date:
    return FIRST + timedelta(days=number)


def make_base(connection: duckdb.DuckDBPyConnection, keys: int, days: int) -> None:
    """Every row that ever exists in `days` days, with the day it changes on (0 to 99) and the day it goes on (0 to 999): its remainders."""

    def mix(salt: int) -> str:
        return f"((i * 2654435761 + {salt} * 40503 + (i >> 7) * 97) % 1000003)"

    connection.execute(
        f"""
        create table base_{keys} as
        select
            i, {mix(21)} % 100 as changes_on, {mix(22)} % 1000 as goes_on,
            printf('%012d', i) as account_id,
            printf('%010d', i // 4) as client_number,
            printf('%04d', {mix(1)} % 320) as branch_id,
            ['NORMAL', 'NORMAL', 'CREDIT', 'OPTION', 'FUND'][1 + ({mix(2)} % 5)] as account_kind,
            ['OPEN', 'OPEN', 'OPEN', 'FROZEN', 'CLOSED'][1 + ({mix(3)} % 5)] as account_status,
            date '2005-01-04' + cast({mix(4)} % 7600 as integer) as opened_date,
            'C' || (1 + {mix(5)} % 5) as risk_level,
            ['王**', '李**', '张**', '刘**'][1 + ({mix(6)} % 4)] as client_name_masked,
            md5(cast(i as varchar)) as mobile_phone_token,
            cast((15 + {mix(9)} % 285) / 100000.0 as decimal(12,8)) as commission_rate,
            cast({mix(10)} * 37 / 100.0 as decimal(18,2)) as balance_amount,
            cast(case when {mix(11)} % 10 = 0 then {mix(12)} * 3 else 0 end / 100.0 as decimal(18,2)) as frozen_amount,
            cast({mix(13)} * 911 / 100.0 as decimal(18,2)) as market_value_amount,
            case when {mix(14)} % 5 > 0 then date '2024-01-02' + cast({mix(15)} % 700 as integer) end as last_trade_date,
            timestamp '2025-12-31 20:00:00' as updated_at
        from range(1, {keys + 1 + days * keys // 1000}) as numbers(i)
        """
    )


def write_day(connection: duckdb.DuckDBPyConnection, keys: int, number: int, path: Path) -> None:
    """The snapshot of day `number`."""
    changed = f"changes_on between 1 and {number}"
    connection.execute(
        f"""
        copy (
            select {", ".join(COLUMNS[:10])},
                cast(balance_amount + case when {changed} then 1234.56 else 0 end as decimal(18,2)) as balance_amount,
                {", ".join(COLUMNS[11:14])},
                updated_at + to_seconds(cast(case when {changed} then changes_on * 86400 else 0 end as bigint)) as updated_at
            from base_{keys}
            where i <= {keys + number * keys // 1000} and not (goes_on between 1 and {number})
        ) to '{path}' (format parquet)
        """
    )


class Bench:
    """A folder, a session, and lakes in which some days are loaded already."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.plain = spark, textbook.plain_session(spark)
        self.folder, self._copies = folder, 0
        self._generator = duckdb.connect()
        self._bases: set[int] = set()

    def delivered(self, keys: int, numbers: list[int], spark: SparkSession | None = None) -> DataFrame:
        """The snapshots of some days, each a partition of one folder, as bronze has them."""
        folder = self.folder / f"days_{keys}"
        days = [folder / f"{DAY}={day_of(number)}" for number in numbers]
        for number, day in zip(numbers, days, strict=True):
            if not day.exists():
                if keys not in self._bases:
                    make_base(self._generator, keys, LOG)
                    self._bases.add(keys)
                day.mkdir(parents=True)
                write_day(self._generator, keys, number, day / "accounts.parquet")
        return (spark or self.spark).read.option("basePath", str(folder)).parquet(*map(str, days))

    def rows(self, keys: int, numbers: list[int]) -> Rows:
        """Days as a load has them after its verdicts, with hash and origin."""
        good = self.delivered(keys, numbers).select(
            DAY, *COLUMNS, row_hash(COLUMNS).alias(HASH), F.lit(1).alias("_delivery_number"),
            F.lit("accounts.parquet").alias("_source_file"), F.monotonically_increasing_id().alias("_source_row"),
        )  # fmt: skip
        return Rows(good, None)

    def load(self, root: Path, keys: int, numbers: list[int], links: list[Link]) -> list[Link]:
        """Days into the lake at `root`, in one pass."""
        days = [day_of(number) for number in numbers]
        loaded = {day: Loaded() for day in [*(link.business_date for link in links), *days]}
        return links + chronicle.bring_in_line(
            Lake(self.spark, str(root)), CONTRACT, self.rows(keys, numbers), loaded, list(loaded), days, links,
            run=numbers[-1], known_at="2026-01-01T00:00:00Z", metadata={"run": numbers[-1]},
        )  # fmt: skip

    def merge(self, session: SparkSession, table: Path, keys: int, number: int) -> None:
        """A day into the textbook's table of versions, in that session."""
        arrived = self.delivered(keys, [number], session).drop(DAY)
        textbook.merge(session, str(table), arrived, "account_id", day_of(number))

    def copy_of(self, root: Path) -> Path:
        """Delta never writes a data file again, so these are linked: a log of many days is copied as quickly as one of two."""
        self._copies += 1
        return Path(shutil.copytree(root, self.folder / f"copy_{self._copies}", copy_function=link_data))


def warm_up(bench: Bench, keys: int) -> None:
    """WARM days of a small feed, singly, as one range and by the textbook: a virtual machine compiles what it meets again and again."""
    lake, table = bench.folder / "lake_warm", bench.folder / "table_warm"
    links = bench.load(lake, keys, [0], [])
    textbook.create(str(table), bench.delivered(keys, [0], bench.plain).drop(DAY), day_of(0))
    for number in range(1, WARM + 1):
        links = bench.load(lake, keys, [number], links)
        bench.merge(bench.plain, table, keys, number)
    one_pass(bench, keys, bench.folder / "lake_start", bench.load(bench.folder / "lake_start", keys, [0], []), 3)


def against_textbook(bench: Bench, keys: int) -> tuple[Cost, Cost, Cost, Path, list[Link]]:
    """Day 1 onto day 0: ours, the textbook's as it comes and with our settings, and our lake of day 0 with its links."""
    opening = bench.folder / f"lake_{keys}"
    links = bench.load(opening, keys, [0], [])
    ours, plain, tuned = Cost(), Cost(), Cost()
    sessions = {"plain": (bench.plain, plain), "tuned": (bench.spark, tuned)}
    for name, (session, _) in sessions.items():
        textbook.create(str(bench.folder / f"table_{name}"), bench.delivered(keys, [0], session).drop(DAY), day_of(0))
    for turn in range(RUNS + 1):
        lake = bench.copy_of(opening)
        # The first turn warms the machine up, and its answers are compared.
        (Cost() if turn == 0 else ours).measure(lambda lake=lake: bench.load(lake, keys, [1], links))
        for name, (session, cost) in sessions.items():
            merged = bench.copy_of(bench.folder / f"table_{name}")
            (Cost() if turn == 0 else cost).measure(
                lambda session=session, merged=merged: bench.merge(session, merged, keys, 1)
            )
            if turn == 0:
                _stop_if_different(bench.spark, lake, merged)
            shutil.rmtree(merged)
        shutil.rmtree(lake)
    return ours, plain, tuned, opening, links


def _stop_if_different(spark: SparkSession, lake: Path, merged: Path) -> None:
    names = [*COLUMNS, "valid_from", "valid_to"]
    frames = (
        intervals(Lake(spark, str(lake)).read("changes", "accounts"), key=["account_id"]),
        spark.read.format("delta").load(str(merged)),
    )
    answers = [
        fingerprints(frame.select(F.lit(FIRST).alias(DAY), row_hash(names).alias(HASH)), [FIRST]) for frame in frames
    ]
    if answers[0] != answers[1]:
        raise SystemExit(f"the answers differ: {answers}")
    print(f"answers are equal: {answers[0][FIRST]}", flush=True)


def one_pass(bench: Bench, keys: int, opening: Path, links: list[Link], runs: int) -> tuple[Cost, Cost]:
    """One day, and RANGE days in one pass, onto day 0."""
    one, many = Cost(), Cost()
    numbers = list(range(1, RANGE + 1))
    bench.rows(keys, numbers)
    for turn in range(runs + 1):
        for cost, chosen in ((one, [1]), (many, numbers)):
            lake = bench.copy_of(opening)
            (Cost() if turn == 0 else cost).measure(
                lambda lake=lake, chosen=chosen: bench.load(lake, keys, chosen, links)
            )
            shutil.rmtree(lake)
    return one, many


def long_log(bench: Bench, keys: int) -> tuple[Cost, Cost]:
    """Day 2 onto a log of two edges, and day LOG onto a log of as many, every day loaded singly."""
    lake, links = bench.folder / f"log_{keys}", []
    kept = {}
    for number in range(LOG - 1):
        links = bench.load(lake, keys, [number], links)
        if number == 1:
            kept[2] = (bench.copy_of(lake), links)
    kept[LOG - 1] = (lake, links)
    early, late = Cost(), Cost()
    for turn in range(RUNS + 1):
        for cost, number in ((early, 2), (late, LOG - 1)):
            root, known = kept[number]
            copy = bench.copy_of(root)
            (Cost() if turn == 0 else cost).measure(
                lambda copy=copy, number=number, known=known: bench.load(copy, keys, [number], known)
            )
            shutil.rmtree(copy)
    return early, late


def measure(keys: int, folder: Path) -> list[str]:
    """The Markdown report of one run."""
    spark = build_session(load_settings(home=folder), "benchmark: history")
    bench = Bench(spark, folder)
    warm_up(bench, WARM_KEYS)
    ours, plain, tuned, opening, links = against_textbook(bench, keys)
    print(f"ours {ours.cpu}, textbook {plain.cpu}, with our settings {tuned.cpu}", flush=True)
    small_opening = bench.folder / "lake_small"
    small_links = bench.load(small_opening, FEW_KEYS, [0], [])
    few_one, few_many = one_pass(bench, FEW_KEYS, small_opening, small_links, RUNS)
    print(f"{FEW_KEYS} keys: {few_one.cpu}, {few_many.cpu}", flush=True)
    early, late = long_log(bench, keys)
    print(f"log: {early.cpu}, {late.cpu}", flush=True)
    one, many = one_pass(bench, keys, opening, links, LONG_RUNS)
    one.cpu, one.seconds = one.cpu + ours.cpu, one.seconds + ours.seconds
    spark.stop()
    return [
        f"## History of {keys:,} keys, {len(COLUMNS)} columns",
        "",
        f"{when_and_where()}. 1 % of the rows changed, 0.1 % are gone,",
        "0.1 % are new. Ours writes the slice by `replaceWhere`, fingerprint and edges; the textbook MERGE is that of `benchmarks/textbook.py`,",
        f"run as Spark and Delta come (with {textbook.PARTITIONS} shuffle partitions), and again with the settings of a load. Answers were equal.",
        "What is set for the whole virtual machine, such as shuffles without compression, is the same for all three.",
        f"One session, warm after {WARM} days of {WARM_KEYS:,} keys both ways. CPU seconds are medians of runs that take turns, of all processes and threads.",
        "",
        "| what | runs | CPU s | from–to | wall s |",
        "|---|---:|---:|---|---:|",
        ours.row(f"one day of {keys:,} keys, ours"),
        plain.row(f"one day of {keys:,} keys, textbook MERGE"),
        tuned.row(f"one day of {keys:,} keys, textbook MERGE with our settings"),
        many.row(f"{RANGE} days of {keys:,} keys in one pass"),
        few_one.row(f"one day of {FEW_KEYS:,} keys"),
        few_many.row(f"{RANGE} days of {FEW_KEYS:,} keys in one pass"),
        early.row(f"day 2 of {keys:,} keys"),
        late.row(f"day {LOG} of {keys:,} keys, onto a log of {LOG - 1} edges"),
        "",
        f"- ratio to textbook: {ours.middle / plain.middle:.2f}",
        f"- ratio to textbook with our settings: {ours.middle / tuned.middle:.2f}",
        f"- day {LOG} to day 2: {late.middle / early.middle:.2f}",
        f"- {RANGE} days in one pass: {many.middle / one.middle:.2f} x one day ({keys:,} keys), "
        f"{few_many.middle / few_one.middle:.2f} x ({FEW_KEYS:,} keys)",
    ]


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, measure, keys=1_000_000)
