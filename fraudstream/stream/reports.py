"""The three reports of 2.7 in one SQLite file: absolute values by key, so that a batch that runs twice changes nothing.

Each report keeps what every transaction adds to a window (its newest prediction counts), and the windows' totals
computed from that in the same SQLite transaction: a reader never sees one without the other. Times are UTC, ISO 8601.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SCHEMA = """
create table if not exists frauds_by_transaction (
    window_start text, window_end text, transaction_id text, fraud integer,
    primary key (window_start, transaction_id)) without rowid;
create table if not exists frauds_last_2_minutes (
    window_start text primary key, window_end text, frauds integer, transactions integer);

create table if not exists quantity_by_transaction (
    window_start text, window_end text, transaction_id text, quantity integer, fraud integer,
    primary key (window_start, transaction_id)) without rowid;
create table if not exists quantity_every_30_seconds (
    window_start text primary key, window_end text, quantity integer);

create table if not exists products_by_transaction (
    window_start text, window_end text, transaction_id text, position integer, product_id integer, product_name text,
    quantity integer, fraud integer,
    primary key (window_start, transaction_id, position)) without rowid;
create table if not exists top_products_every_minute (
    window_start text, window_end text, product_id integer, product_name text, quantity integer,
    primary key (window_start, product_id));
"""

TOTALS = {
    "frauds": (
        "frauds_last_2_minutes",
        "select window_start, window_end, sum(fraud), count(*) from frauds_by_transaction"
        " where window_start = ? group by window_start, window_end",
    ),
    "quantity": (
        "quantity_every_30_seconds",
        "select window_start, window_end, sum(quantity) from quantity_by_transaction"
        " where window_start = ? and not fraud group by window_start, window_end",
    ),
    "products": (
        "top_products_every_minute",
        "select window_start, window_end, product_id, max(product_name), sum(quantity) from products_by_transaction"
        " where window_start = ? and not fraud group by window_start, window_end, product_id",
    ),
}


class Reports:
    """The reports' file: ``update_…`` take a micro-batch of changed rows, the other methods read the newest state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._transaction() as connection:
            connection.executescript(SCHEMA)

    def update_frauds(self, batch: DataFrame) -> None:
        """In: window (struct of start, end), transaction_id, prediction (the newest)."""
        self._update("frauds", batch, "transaction_id")

    def update_quantity(self, batch: DataFrame) -> None:
        """In: window, transaction_id, prediction, quantity (bigint, of all the transaction's products)."""
        self._update("quantity", batch, "transaction_id", "quantity")

    def update_products(self, batch: DataFrame) -> None:
        """In: window, transaction_id, prediction, position (in the cart), product_id, product_name, quantity."""
        self._update("products", batch, "transaction_id", "position", "product_id", "product_name", "quantity")

    def frauds(self, windows: int = 12) -> pd.DataFrame:
        """window_start, window_end, frauds, transactions of the newest windows that are over or end next."""
        return self._read(
            "select * from frauds_last_2_minutes where datetime(window_end) <="
            " (select datetime(max(window_start), '+10 seconds') from frauds_last_2_minutes)"
            " order by window_start desc limit ?",
            windows,
        )

    def quantity(self, windows: int = 10) -> pd.DataFrame:
        """window_start, window_end, quantity of the newest windows."""
        return self._read("select * from quantity_every_30_seconds order by window_start desc limit ?", windows)

    def top_products(self, products: int = 20) -> pd.DataFrame:
        """window_start, window_end, product_id, product_name, quantity: the newest window's top, by total quantity."""
        return self._read(
            "select * from top_products_every_minute"
            " where window_start = (select max(window_start) from top_products_every_minute)"
            " order by quantity desc, product_id limit ?",
            products,
        )

    def _update(self, report: str, batch: DataFrame, *columns: str) -> None:
        # windows as Unix seconds: a local datetime would be ambiguous in the hour that daylight saving repeats
        span = (F.col("window.start").cast("long"), F.col("window.end").cast("long"))
        changed = batch.select(*span, *columns, F.col("prediction") == 1).collect()
        rows = [(_utc(start), _utc(end), *values) for start, end, *values in changed]
        if not rows:
            return
        table, total = TOTALS[report]
        places = ", ".join("?" * len(rows[0]))
        with self._transaction() as connection:
            connection.executemany(f"insert or replace into {report}_by_transaction values ({places})", rows)
            for window_start in sorted({row[0] for row in rows}):
                connection.execute(f"delete from {table} where window_start = ?", (window_start,))
                connection.execute(f"insert into {table} {total}", (window_start,))

    def _read(self, query: str, *values: int) -> pd.DataFrame:
        with self._transaction() as connection:
            return pd.read_sql_query(query, connection, params=values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction of one connection: three queries write from three threads, each waits for the others."""
        with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
            connection.execute("begin immediate")
            yield connection


def _utc(seconds: int) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
