"""The results of a run as pandas: newest predictions, finished report windows, quarantine, summary.

::

    from fraudstream import results

    frauds = results.predictions().query("prediction == 1")
    per_window = results.report("frauds_last_2_minutes")

Each function reads the folder of FRAUDSTREAM_OUTPUT_DIR (and FRAUDSTREAM_STORAGE), or that of the ``settings`` given.
The files themselves can be read by any tool: parquet in ``predictions`` and ``quarantine``, SQLite in
``reports.sqlite``, JSON in ``summary.json``.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pandas as pd
import pyarrow as pa

from fraudstream.errors import OutputError, command
from fraudstream.schemas import REPORT_VIEWS
from fraudstream.settings import Settings, load_settings
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.store import batch_files, batch_number, read_batch

REPORT_TABLES = tuple(REPORT_VIEWS)


def predictions(settings: Settings | None = None) -> pd.DataFrame:
    """The newest prediction per transaction: all columns of the files, in the order of batch_id.

    A late event revises a prediction for about a minute; the larger batch_id counts. created_at has the file's own
    time, without a zone. Raises OutputError when there are no predictions.
    """
    settings = settings or load_settings()
    rows = _rows(settings.predictions)
    if rows.empty:
        raise OutputError(f"{settings.predictions}: no predictions. Make them with: {command('run')}")
    newest = rows.sort_values("batch_id", kind="stable").drop_duplicates("transaction_id", keep="last")
    return newest.reset_index(drop=True)


def report(table: str, settings: Settings | None = None) -> pd.DataFrame:
    """The finished windows of one of REPORT_TABLES, oldest first; window_start and window_end are UTC timestamps.

    The views hold finished windows only: those whose numbers do not grow any more.
    Raises OutputError for another name, or when there are no reports.
    """
    settings = settings or load_settings()
    if table not in REPORT_TABLES:
        raise OutputError(f"{table}: no such report. The reports are {', '.join(REPORT_TABLES)}.")
    if not settings.reports.is_file():
        raise OutputError(f"{settings.reports}: no reports. Make them with: {command('run')}")
    with closing(sqlite3.connect(f"{settings.reports.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as file:
        windows = pd.read_sql_query(f"select * from {table}", file)
    for column in ("window_start", "window_end"):
        windows[column] = pd.to_datetime(windows[column], utc=True)
    return windows.sort_values("window_start", kind="stable").reset_index(drop=True)


def quarantine(settings: Settings | None = None) -> pd.DataFrame:
    """The rows that could not be read: topic, partition, offset, position, raw_value, reason, batch_id; often none."""
    return _rows((settings or load_settings()).quarantine)


def summary(settings: Settings | None = None) -> pd.Series:
    """The summary of the newest run, name -> value. Raises OutputError when there is none."""
    file = (settings or load_settings()).output_dir / "summary.json"
    if not file.is_file():
        raise OutputError(f"{file}: no summary. Make one with: {command('run')}")
    return pd.Series(json.loads(file.read_text(encoding="utf-8")), dtype="object")


def _rows(folder: AnyPath) -> pd.DataFrame:
    tables = list(_tables(folder))
    return pa.concat_tables(tables, promote_options="default").to_pandas() if tables else pd.DataFrame()


def _tables(folder: AnyPath, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for file in batch_files(folder):
        table = read_batch(file, columns)
        number = pa.scalar(batch_number(file), pa.int64())
        yield table.append_column("batch_id", pa.repeat(number, table.num_rows))
