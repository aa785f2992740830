"""One parquet file per micro-batch: published by one rename, read back by its followers (2.6)."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.errors import OutputError
from fraudstream.storage import AnyPath, HadoopPath

BATCH_ID = "batch_id"


def batch_file(folder: AnyPath, batch_id: int) -> AnyPath:
    """The file of micro-batch ``batch_id``; its rows have the number in the column batch_id.

    The number is not in a directory's name (``batch_id=N``): pandas makes a text category of such a name, and reads no
    folder whose files have the column as well.
    """
    return folder / f"batch-{batch_id:06d}.parquet"


def batch_number(file: AnyPath) -> int:
    """The micro-batch that ``file`` (of ``batch_files``) is of."""
    return int(file.name.removeprefix("batch-").removesuffix(".parquet"))


def batch_files(folder: AnyPath, known: Collection[str] = ()) -> Iterator[AnyPath]:
    """The files of all finished micro-batches, except those whose names are in ``known``."""
    return (file for file in folder.glob("batch-*.parquet") if file.name not in known)


def read_batch(file: AnyPath, columns: Sequence[str] | None = None) -> pa.Table:
    """``columns`` of a micro-batch's file; all without."""
    return pq.read_table(pa.BufferReader(file.read_bytes()), columns=columns and list(columns))


def write_batch(table: pa.Table, folder: AnyPath, batch_id: int, even_if_empty: bool = False) -> bool:
    """Writes one micro-batch as one parquet file, with the column batch_id (bigint); True if it is new.

    A file that is there is final: a batch that Spark runs again after a crash changes nothing. Should two write the
    same batch at once, one of them publishes it and the other returns False.
    """
    final = batch_file(folder, batch_id)
    if final.exists() or (table.num_rows == 0 and not even_if_empty):
        return False
    return publish(with_batch_id(table, batch_id), final)


def with_batch_id(table: pa.Table, batch_id: int) -> pa.Table:
    """``table`` with batch_id (bigint) as its last column."""
    return table.append_column(BATCH_ID, pa.repeat(pa.scalar(batch_id, pa.int64()), table.num_rows))


def publish(table: pa.Table, final: AnyPath) -> bool:
    """Writes ``table`` to the parquet file ``final``, which appears at once and complete; False if another was faster.

    It is written under a name of its own in a hidden folder next to that of ``final``, because some readers (polars)
    take every file that they find below a folder, and then gets its name once. On an object store that is a copy, which
    appears last and complete. So on all of them a batch is finished when its file is there; no reader needs a mark.
    """
    folder = final.parent
    hidden = folder.parent / f".{folder.name}.unfinished"
    for each in (folder, hidden):
        each.mkdir(parents=True, exist_ok=True)
    parquet = pa.BufferOutputStream()
    pq.write_table(table, parquet, compression="snappy")
    unfinished = hidden / f"{final.name}-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        unfinished.write_bytes(parquet.getvalue())
        _name(unfinished, final)
    except (OSError, OutputError):
        if not final.exists():
            raise
        return False
    finally:
        _remove(unfinished)
    for left in hidden.glob(f"{final.name}-*"):  # of writers that were killed or were slower
        _remove(left)
    return True


def _remove(file: AnyPath) -> None:
    with suppress(FileNotFoundError):
        file.unlink()


def _name(unfinished: AnyPath, final: AnyPath) -> None:
    """Gives the finished file its name; fails where that name is there. On a disk a rename would replace the file."""
    if isinstance(final, HadoopPath):
        unfinished.rename(final)
        return
    try:
        final.hardlink_to(unfinished)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links (exFAT, some network drives)
        unfinished.rename(final)
