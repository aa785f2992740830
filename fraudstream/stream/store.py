"""One directory per micro-batch with one parquet file, made visible by one rename; and reading them back (2.6)."""

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.storage import AnyPath

PART = "part-0.parquet"


def batch_file(folder: AnyPath, batch_id: int) -> AnyPath:
    """The one file of micro-batch ``batch_id``: Spark reads batch_id back as a partition column."""
    return folder / f"batch_id={batch_id}" / PART


def batch_files(folder: AnyPath, known: Collection[str] = ()) -> Iterator[AnyPath]:
    """The files of all complete micro-batches, except those whose directory names are in ``known``."""
    files = (directory / PART for directory in folder.glob("batch_id=*") if directory.name not in known)
    return (file for file in files if file.exists())


def read_batch(file: AnyPath, columns: list[str]) -> pa.Table:
    """Reads these columns of a micro-batch's file."""
    return pq.read_table(pa.BufferReader(file.read_bytes()), columns=columns)


def write_batch(table: pa.Table, folder: AnyPath, batch_id: int, even_if_empty: bool = False) -> bool:
    """Writes one micro-batch as one parquet file; True if it is new.

    Idempotent: an existing file is final, so a batch that Spark runs again after a crash changes nothing. The file is
    written in a directory with a hidden name, which readers ignore, and the directory is renamed once. (For Spark, a
    name that begins with an underscore is hidden only if it has no equals sign.)

    On a disk and on HDFS the directory appears at once with its file. An object store has no directories: there the
    rename copies the one object, which appears last, at once and complete. So everywhere a batch is finished when its
    file exists, and readers need no other mark.
    """
    final = batch_file(folder, batch_id)
    if final.exists() or (table.num_rows == 0 and not even_if_empty):
        return False
    hidden = folder / f"_unfinished-{batch_id}"
    hidden.mkdir(parents=True, exist_ok=True)
    for left in hidden.glob("*"):
        left.unlink()
    parquet = pa.BufferOutputStream()
    pq.write_table(table, parquet, compression="snappy")
    (hidden / PART).write_bytes(parquet.getvalue())
    hidden.rename(final.parent)
    return True
