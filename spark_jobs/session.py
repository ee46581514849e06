"""The one SparkSession of a process, for any master; nothing else knows where Spark runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from py4j.java_gateway import java_import
from pyspark.sql import SparkSession

from spark_jobs import formats
from spark_jobs.config import Settings

DELTA_PACKAGE = "io.delta:delta-spark_4.1_2.13:4.4.0"
# Sets permissions and follows links without starting a process for each, of which one load would start six thousand.
LOCAL_FILES_PACKAGE = "com.globalmentor:hadoop-bare-naked-local-fs:0.1.0"

_LOCAL_FILES_JAR = "com.globalmentor_"
# Everything else Delta asks for is in Spark's own jars already, and newer there.
_KEPT_JARS = ("io.delta_", "io.unitycatalog_", _LOCAL_FILES_JAR)

LOGGING = Path(__file__).parent / "log4j2.properties"

# Small tables, many of them: what costs here is the fixed price of every table, job and commit.
_TUNING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.stats.collect": "true",
    # Slices are read by day, which is their partition. The smallest and largest value of every column would cost a third of each write,
    # and would stand in the log after the row is gone.
    "spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols": "0",
    "spark.databricks.delta.properties.defaults.logRetentionDuration": "interval 400 days",
    "spark.databricks.delta.properties.defaults.checkpointInterval": "20",
    # Versions are forgotten when tokens are renewed, by nobody else, and then at once: one process writes, so nothing is half written.
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",
    # Each is a task, however few folders a table has.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "16",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.adaptive.enabled": "true",
    # Sides of a join that fit into memory are not sorted; what is larger still is.
    "spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold": "64m",
    # Rows of a range of days are written as they come, without sorting them by day first; what the open files may hold is bounded.
    "spark.sql.maxConcurrentOutputFileWriters": "64",
    "spark.hadoop.parquet.memory.pool.ratio": "0.25",
    # Hardly any value of these stands twice in a day, so looking for repetitions finds none.
    **{
        f"spark.hadoop.parquet.enable.dictionary#{column}": "false"
        for column in ("_row_hash", "_source_row", "mobile_phone_token", "identity_number_token", "client_name_token")
    },
    # A day is read whole, so nobody asks a file's groups of rows for their smallest and largest value or how long their values are.
    "spark.hadoop.parquet.column.statistics.enabled": "false",
    "spark.hadoop.parquet.size.statistics.enabled": "false",
    # How many tasks a step has follows from its bytes, not from the cores: every task is sent the whole plan.
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.files.maxPartitionBytes": "16m",
    "spark.sql.files.openCostInBytes": "262144",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "16",
    # Every feed has code of its own, and the days and loads of a session have the same: what was compiled is kept.
    "spark.sql.codegen.cache.maxEntries": "2000",
    # Nobody looks at the finished queries of a session without a page, and their plans are large.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.ui.retainedExecutions": "5",
    "spark.ui.retainedJobs": "20",
    "spark.ui.retainedStages": "20",
    "spark.ui.retainedTasks": "200",
    # Else every frame that is kept clones the session, and every column asks the JVM four times where in the code it was made.
    "spark.sql.sources.bucketing.autoBucketedScan.enabled": "false",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.python.worker.reuse": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.scheduler.mode": "FAIR",
    "spark.sql.debug.maxToStringFields": "5",
    "spark.redaction.regex": "(?i)secret|password|token|key",
}

# The lake on a disk of this machine. One process writes, which holds the lock, so a log entry may be put in place by a plain rename.
# Checksums of a log's versions are renamed by that file system, too: the other way starts five processes for each. Columns of a file are
# read one after the other, not by a thread each.
_LOCAL_FILES = {
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    "spark.delta.logStore.file.impl": "io.delta.storage.LocalLogStore",
    "spark.sql.streaming.checkpointFileManagerClass": "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager",
    "spark.hadoop.parquet.hadoop.vectored.io.enabled": "false",
    # What is shuffled goes through the memory of this machine, not over a network.
    "spark.shuffle.compress": "false",
}

# Code is compiled, and a plan made again from what its first steps met, where rows are many. For few rows both take longer than the rows.
_SMALL_DAYS = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}
# What is run a few times is not worth compiling twice. The classes and plans of a load fill more than Java expects, and every growth of
# their room would be a collection of everything.
_SMALL_DAYS_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC -XX:MetaspaceSize=512m"


def build_session(settings: Settings, name: str = "c360") -> SparkSession:
    """A session with Delta and the file formats of `spark_jobs.formats` registered."""
    scratch = (settings.work / "spark").resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    # The workers need this project's packages; on a cluster the variable names the interpreter there.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    jars = sorted(settings.jars.resolve().glob("*.jar"))
    options = dict(_TUNING)
    if jars:
        options["spark.jars"] = ",".join(str(jar) for jar in jars)
    else:
        options["spark.jars.packages"] = f"{DELTA_PACKAGE},{LOCAL_FILES_PACKAGE}"
        options["spark.jars.ivy"] = str(settings.jars.resolve() / "ivy")
    local_files = [str(jar) for jar in jars if jar.name.startswith(_LOCAL_FILES_JAR)]
    if settings.spark_master.startswith("local") and local_files:
        # Files are opened before the jars of the session are there.
        options["spark.driver.extraClassPath"] = ":".join(local_files)
        options |= _LOCAL_FILES
    java_options = settings.driver_java_options
    if settings.small_days:
        options |= _SMALL_DAYS
        # What the setting says comes later, and the later option counts.
        java_options = f"{_SMALL_DAYS_JAVA} -Xms{settings.driver_memory} {java_options}"
    for key, value in options.items():
        builder = builder.config(key, value)
    builder = (
        builder.config("spark.driver.memory", settings.driver_memory)
        .config("spark.sql.shuffle.partitions", str(1 if settings.small_days else settings.shuffle_partitions))
        .config("spark.local.dir", str(scratch))
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config(
            "spark.driver.extraJavaOptions",
            f"-Dderby.system.home={scratch} -Dlog4j2.configurationFile={LOGGING.as_uri()} "
            f"-XX:ReservedCodeCacheSize=512m {java_options}".strip(),
        )
    )
    with _errors_to(settings.logs / "spark.log"):
        spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    # Named in every select; without an import of its own it is looked for in every jar, under every package, each time.
    java_import(spark._jvm, "org.apache.spark.api.python.PythonUtils")
    formats.register(spark)
    return spark


@contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """What a process started in here prints to its standard error, now and later, goes to the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(2)
    with path.open("ab") as log:
        os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def fetch_jars(settings: Settings) -> list[str]:
    """Resolve Delta once from Maven Central and keep the jars inside the project. Returns their names."""
    folder = settings.jars
    folder.mkdir(parents=True, exist_ok=True)
    if not all(list(folder.glob(f"{prefix}*.jar")) for prefix in _KEPT_JARS):
        # An earlier version kept fewer.
        for jar in folder.glob("*.jar"):
            jar.unlink()
        build_session(settings, "c360-jars").stop()
        for prefix in _KEPT_JARS:
            for jar in (folder / "ivy" / "jars").glob(f"{prefix}*.jar"):
                jar.rename(folder / jar.name)
        shutil.rmtree(folder / "ivy")
    return sorted(jar.name for jar in folder.glob("*.jar"))
