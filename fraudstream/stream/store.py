"""The stored micro-batches: one directory with one parquet file each. ``publish`` writes them."""

import re
from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fraudstream.errors import OutputError, command
from fraudstream.storage.hadoop import AnyPath

PART = "part-0.parquet"
# from this many micro-batches, the folder is listed instead of looking each of them up
LISTED_FROM = 20
# a copy that somebody made of a directory has another name
NUMBERED = re.compile(r"batch_id=\d+")


def batch_file(folder: AnyPath, batch_id: int) -> AnyPath:
    """The one file of micro-batch ``batch_id``: Spark reads batch_id back as a partition column."""
    return folder / f"batch_id={batch_id}" / PART


def batch_number(file: AnyPath) -> int:
    """The micro-batch that ``file`` (of ``batch_files``) is of."""
    return int(file.parent.name.split("=")[1])


def batch_files(folder: AnyPath, known: Collection[int] = ()) -> Iterator[AnyPath]:
    """The files of all complete micro-batches, except those whose numbers are in ``known``."""
    numbered = (directory for directory in folder.glob("batch_id=*") if NUMBERED.fullmatch(directory.name))
    files = (directory / PART for directory in numbered)
    return (file for file in files if batch_number(file) not in known and file.exists())


def batches_between(folder: AnyPath, after: int, up_to: int) -> list[AnyPath]:
    """The files of the micro-batches ``after`` + 1 to ``up_to``, in order; a few are looked up without listing all."""
    numbers = range(after + 1, up_to + 1)
    if len(numbers) > LISTED_FROM:
        found = {batch_number(file): file for file in batch_files(folder)}
        return [found[number] for number in sorted(found) if number in numbers]
    return [file for number in numbers if (file := batch_file(folder, number)).exists()]


def read_batch(file: AnyPath, columns: Sequence[str] | None = None, added: Sequence[str] = ()) -> pa.Table:
    """Reads these columns of a micro-batch's file, or all; and those of ``added``, null in a file that lacks them.

    Files of earlier versions lack columns that were added since. Raises OutputError for a damaged file.
    """
    content = pa.BufferReader(file.read_bytes())
    try:
        return _read(content, columns, added)
    except pa.ArrowInvalid as error:
        raise OutputError(
            f"{file} is damaged ({str(error).rstrip('.')}). Restore it, or start over with: {command('reset')} (it "
            "moves all results to earlier/)."
        ) from error


def _read(content: pa.BufferReader, columns: Sequence[str] | None, added: Sequence[str]) -> pa.Table:
    if not added:
        return pq.read_table(content, columns=columns and list(columns))
    parquet = pq.ParquetFile(content)
    there = [name for name in added if name in parquet.schema_arrow.names]
    table = parquet.read(None if columns is None else [*columns, *there])
    for name in added:
        table = table if name in there else table.append_column(name, pa.nulls(table.num_rows))
    return table
