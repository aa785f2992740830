"""One parquet file per micro-batch: published by one rename, read back by its followers (2.6)."""

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.storage import AnyPath

BATCH_ID = "batch_id"


def batch_file(folder: AnyPath, batch_id: int) -> AnyPath:
    """The file of micro-batch ``batch_id``; its rows have the number in the column batch_id.

    The number is not in a directory's name (``batch_id=N``): pandas makes a text category of such a name, and reads no
    folder whose files have the column as well.
    """
    return folder / f"batch-{batch_id:06d}.parquet"


def batch_files(folder: AnyPath, known: Collection[str] = ()) -> Iterator[AnyPath]:
    """The files of all finished micro-batches, except those whose names are in ``known``."""
    return (file for file in folder.glob("batch-*.parquet") if file.name not in known)


def read_batch(file: AnyPath, columns: Sequence[str] | None = None) -> pa.Table:
    """``columns`` of a micro-batch's file; all without."""
    return pq.read_table(pa.BufferReader(file.read_bytes()), columns=columns and list(columns))


def write_batch(table: pa.Table, folder: AnyPath, batch_id: int, even_if_empty: bool = False) -> bool:
    """Writes one micro-batch as one parquet file, with the column batch_id (bigint); True if it is new.

    A file that is there is final: a batch that Spark runs again after a crash changes nothing.
    """
    final = batch_file(folder, batch_id)
    if final.exists() or (table.num_rows == 0 and not even_if_empty):
        return False
    publish(with_batch_id(table, batch_id), final)
    return True


def with_batch_id(table: pa.Table, batch_id: int) -> pa.Table:
    """``table`` with batch_id (bigint) as its last column."""
    return table.append_column(BATCH_ID, pa.repeat(pa.scalar(batch_id, pa.int64()), table.num_rows))


def publish(table: pa.Table, final: AnyPath) -> None:
    """Writes ``table`` to the parquet file ``final``, which appears at once and complete.

    It is written in a hidden folder next to that of ``final``, because some readers (polars) take every file that they
    find below a folder, and renamed once. On an object store the rename is a copy, which appears last and complete. So
    on all of them a batch is finished when its file is there, and no reader needs another mark.
    """
    folder = final.parent
    hidden = folder.parent / f".{folder.name}.unfinished"
    for each in (folder, hidden):
        each.mkdir(parents=True, exist_ok=True)
    parquet = pa.BufferOutputStream()
    pq.write_table(table, parquet, compression="snappy")
    unfinished = hidden / final.name
    unfinished.write_bytes(parquet.getvalue())
    unfinished.rename(final)
