"""How fast the file readers decode: MB/s a core in Python, and through Spark `local[2]` into a noop write.

    python -m benchmarks.decode [--megabytes 200] [--write]

Each rate stands beside the bare read of the same bytes in the same run, since seconds differ from hour to hour.
"A core" means a CPU second: of this process for pure decoding, of this process, the JVM and the Python workers
together for Spark. The wall rate of Spark stands beside it and suffers from whatever else the machine does.
"""

from __future__ import annotations

import os
import random
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.command_line import run_benchmark, when_and_where
from benchmarks.cost import cpu_seconds
from spark_jobs.formats import dbf, delimited, ofd, register

GOALS = {"dbf": (150, 30), "ofd": (150, 30), "delimited": (30, 30)}
BLOCK_ROWS = 20_000
SEED = 20260105
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙马朱胡林郭何高罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英"
ASCII_WIDTHS = (6, 10, 8, 8, 10, 10, 6, 8, 12, 10, 4, 8, 8, 12, 12, 12, 8, 8)
FUND_FIELDS = (
    *("AppSheetSerialNo", "TransactionCfmDate", "FundCode", "TransactionDate", "ReturnCode", "TransactionAccountID"),
    *("DistributorCode", "ApplicationVol", "ApplicationAmount", "ConfirmedVol", "ConfirmedAmount", "BusinessCode"),
    *("TAAccountID", "TASerialNo", "Charge", "AgencyFee", "NAV", "StampDuty", "ShareClass", "RaiseInterest"),
    *("AchievementPay", "CurrencyType", "FundName"),
)


def _name(rng: random.Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=rng.randint(1, 3)))


def _write_blocks(path: Path, head: bytes, block: bytes, blocks: int, tail: bytes) -> None:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(blocks):
            file.write(block)
        file.write(tail)


def write_dbf(path: Path, size: int) -> None:
    """20 fields as in a clearing detail file; two of them Chinese, a third of the others numbers with blanks."""
    rng = random.Random(SEED)
    fields = [(f"F{n:02d}", "N" if n % 3 == 0 else "C", width) for n, width in enumerate(ASCII_WIDTHS)]
    fields += [("XM", "C", 16), ("ZY", "C", 16)]
    block = b"".join(
        b" "
        + b"".join(
            f"{rng.randrange(10 ** min(width, 6))}".rjust(width).encode()
            if kind == "N"
            else (_name(rng).encode("gb18030") if width == 16 else b"%0*d" % (width, rng.randrange(10**width))).ljust(
                width
            )
            for _, kind, width in fields
        )
        for _ in range(BLOCK_ROWS)
    )
    blocks = max(1, size // len(block))
    head = struct.pack("<B3BIHH20x", 3, 126, 1, 5, blocks * BLOCK_ROWS, 33 + 32 * len(fields), len(block) // BLOCK_ROWS)
    head += b"".join(struct.pack("<11sc4xBB14x", name.encode(), kind.encode(), w, 0) for name, kind, w in fields)
    _write_blocks(path, head + b"\r", block, blocks, b"\x1a")


def write_ofd(path: Path, size: int) -> None:
    """Trade confirmations with one Chinese column; one amount in forty is negative."""
    rng = random.Random(SEED)
    specs = ofd.field_specs()

    def cell(name: str) -> bytes:
        spec = specs[name]
        if name == "FundName":
            return f"{_name(rng)}混合型基金".encode("gb18030").ljust(spec.width)
        if spec.type == "N":
            number = rng.randrange(10 ** min(spec.width - 1, 9))
            return f"{-number if rng.random() < 0.025 else number:0{spec.width}d}".encode()
        return b"%0*d" % (spec.width, rng.randrange(10**spec.width))

    block = b"".join(b"".join(cell(name) for name in FUND_FIELDS) + b"\n" for _ in range(BLOCK_ROWS))
    blocks = max(1, size // len(block))
    head = ["OFDCFDAT", "20", "98", "378", "20260105", "001", "04", "98", "378", f"{len(FUND_FIELDS):03d}"]
    head += [*FUND_FIELDS, f"{blocks * BLOCK_ROWS:08d}", ""]
    _write_blocks(path, "\n".join(head).encode(), block, blocks, b"OFDCFEND\n")


def write_delimited(path: Path, size: int) -> None:
    """15 fields of a customer account, three of them Chinese."""
    rng = random.Random(SEED)

    def line() -> str:
        numbers = [f"{rng.randrange(10**9)}.{rng.randrange(100):02d}" for _ in range(6)]
        codes = [f"{rng.randrange(10**12):012d}", f"{rng.randrange(10**4):04d}", "", "20260105", "0", "CNY"]
        return "|".join([*codes, _name(rng), _name(rng) + "营业部", "普通账户", *numbers]) + "\n"

    block = "".join(line() for _ in range(BLOCK_ROWS)).encode("gb18030")
    blocks = max(1, size // len(block))
    columns = "|".join(f"column_{n:02d}" for n in range(15))
    head = f"#H|accounts|20260105\n{columns}\n".encode()
    _write_blocks(path, head, block, blocks, f"#T|{blocks * BLOCK_ROWS}\n".encode())


def seconds_of(work: Callable[[], object], clock: Callable[[], float], times: int) -> float:
    """The best of several runs, the first of which warms up."""
    taken = []
    for _ in range(times):
        start = clock()
        work()
        taken.append(clock() - start)
    return min(taken)


def bare_read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(16 * 1024 * 1024):
            pass


def decode_all(module, path: Path) -> int:
    columns, rows = module.read_columns(str(path)), 0
    for part in module.slices(str(path)):
        extra = (part.first_row,) if module is delimited else ()
        rows += sum(batch.num_rows for batch in module.decode(part.path, part.start, part.stop, columns, *extra))
    return rows


def start_spark():
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
    )
    spark = builder.config("spark.driver.memory", "4g").config("spark.log.level", "ERROR").getOrCreate()
    register(spark)
    return spark


def measure(megabytes: int, folder: Path) -> list[str]:
    """The Markdown table of one run."""
    makers = {"dbf": (dbf, write_dbf), "ofd": (ofd, write_ofd), "delimited": (delimited, write_delimited)}
    lines = [
        "# Decoding files",
        "",
        f"{when_and_where()}, warm page cache.",
        "",
        "| format | MB | bare read MB/s | inspect MB/s | decode MB/s a core | goal | × bare read "
        "| Spark MB/s a core | goal | × bare read | Spark local[2] MB/s of wall |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    files = {name: folder / name for name in makers}
    for name, (_, write) in makers.items():
        write(files[name], megabytes * 1_000_000)
    pure = {}
    for name, (module, _) in makers.items():
        path = files[name]
        assert decode_all(module, path) == module.inspect(str(path)).rows
        pure[name] = (
            seconds_of(lambda path=path: bare_read(path), time.process_time, 3),
            seconds_of(lambda module=module, path=path: module.inspect(str(path)), time.process_time, 2),
            seconds_of(lambda module=module, path=path: decode_all(module, path), time.process_time, 3),
        )
    spark = start_spark()
    for name, path in files.items():

        def load(name: str = name, path: Path = path) -> None:
            spark.read.format(name).load(str(path)).write.format("noop").mode("overwrite").save()

        size = path.stat().st_size / 1_000_000
        bare, inspect, decode = pure[name]
        wall, through = float("inf"), float("inf")
        for _ in range(4):
            begun, spent = time.perf_counter(), cpu_seconds()
            load()
            wall, through = min(wall, time.perf_counter() - begun), min(through, cpu_seconds() - spent)
        goal, spark_goal = GOALS[name]
        lines.append(
            f"| {name} | {size:.0f} | {size / bare:.0f} | {size / inspect:.0f} | {size / decode:.0f} | ≥ {goal} "
            f"| {decode / bare:.1f} | {size / through:.0f} | ≥ {spark_goal} | {through / bare:.1f} "
            f"| {size / wall:.0f} |"
        )
    spark.stop()
    return lines


if __name__ == "__main__":
    run_benchmark(__file__, __doc__, measure, megabytes=200)
