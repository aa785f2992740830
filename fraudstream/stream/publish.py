"""Makes a micro-batch visible to readers: one parquet file, written aside and published by one rename (2.6)."""

import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.errors import OutputError
from fraudstream.storage.hadoop import AnyPath
from fraudstream.stream.store import PART, batch_file


def unfinished(folder: AnyPath) -> AnyPath:
    """Where batches of ``folder`` are written before publication: outside it, because some readers read every file.

    A rename cannot leave a disk: of a folder that is a disk of its own, or a link to one, it is on that disk.
    """
    if isinstance(folder, Path):
        folder = folder.resolve()
        if folder.is_mount():
            return folder / ".unfinished"
    return folder.parent / f".{folder.name}.unfinished"


def write_batch(table: pa.Table, folder: AnyPath, batch_id: int) -> bool:
    """Writes one micro-batch as one parquet file, as ``publish`` does; nothing for a table without rows."""
    if batch_file(folder, batch_id).exists() or table.num_rows == 0:
        return False
    parquet = pa.BufferOutputStream()
    pq.write_table(table, parquet, compression="snappy")
    return publish(parquet.getvalue(), folder, batch_id)


def publish(parquet: bytes | pa.Buffer, folder: AnyPath, batch_id: int) -> bool:
    """Makes ``parquet``, the content of a file, the one file of a micro-batch; True if this call has published it.

    Idempotent: an existing file is final, so a batch that Spark runs again after a crash changes nothing. The file is
    written in a directory outside of ``folder``, and the directory is renamed once.

    Every writer has a directory of its own. If two write the same batch at once, the rename of one of them fails,
    because the directory exists and is not empty: it finds the other's file, which is complete, and returns False. The
    writer that has published the batch removes the leftovers of killed or slower writers.

    On a disk and on HDFS the directory appears at once with its file. An object store has no directories: there the
    rename copies the one object, which appears last, at once and complete. So on every storage a batch is complete when
    its file exists, and readers need no other marker.
    """
    final = batch_file(folder, batch_id)
    if final.exists():
        return False
    hidden = unfinished(folder) / f"{batch_id}-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hidden.mkdir(parents=True)
        (hidden / PART).write_bytes(parquet)
        _flush(hidden / PART, hidden)
        hidden.rename(final.parent)
        _flush(folder)
    except (OSError, OutputError):
        if not final.exists():
            raise
        _remove(hidden)
        return False
    published = not _moved_into(final.parent, hidden.name)
    for left in unfinished(folder).glob(f"{batch_id}-*"):
        _remove(left)
    return published


def _flush(*paths: AnyPath) -> None:
    """Writes files and folders to the disk itself: a file that a power failure had emptied would be final."""
    for path in paths:
        if isinstance(path, Path):
            opened = os.open(path, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def _moved_into(published: AnyPath, name: str) -> bool:
    """Whether the rename has moved our directory into another writer's, as HDFS does; it is removed then."""
    stray = published / name
    if not stray.exists():
        return False
    _remove(stray)
    return True


def _remove(folder: AnyPath) -> None:
    """Deletes a directory of files. Another writer may be doing the same, or may be writing into it just now."""
    with suppress(OSError):
        for file in folder.glob("*"):
            file.unlink()
        folder.rmdir()
