"""One pass over a CSV file's bytes: is it UTF-8, and does it quote values?

A gigabyte takes about a second. The result is cached by file, size and modification time.
"""

import csv
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fraudstream.errors import DataError

_PIECE = 4 << 20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Quoting(NamedTuple):
    """Whether the file has a quote at all, and one after a backslash."""

    quotes: bool
    backslash_quotes: bool


def check_encoding(path: Path) -> Quoting:
    """How the file quotes its values.

    Raises DataError for a file that cannot be read, or with a byte that is not UTF-8: the message names row and column.
    """
    try:
        found = path.stat()
        return _check(path, found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read ({error.strerror}): {path}.") from error


@lru_cache(maxsize=64)
def _check(path: Path, size: int, mtime_ns: int) -> Quoting:
    quotes = backslash_quotes = False
    pending = b""
    with path.open("rb") as file:
        while chunk := file.read(_PIECE):
            if b"\0" in chunk or (file.tell() == len(chunk) and chunk.startswith(_UTF_16)):
                raise DataError(f"{path.name}: not UTF-8 (UTF-16, or a binary file). Save it as CSV UTF-8.")
            if b'"' in chunk:
                quotes = True
                escaped = b'\\"' in chunk or (pending == b"\\" and chunk.startswith(b'"'))
                backslash_quotes = backslash_quotes or escaped
            pending = _undecoded(path, pending + chunk)
    if pending and pending != b"\\":
        raise _not_utf8(path, pending[0])
    return Quoting(quotes, backslash_quotes)


def _undecoded(path: Path, data: bytes) -> bytes:
    """The bytes at the end of ``data`` to carry over to the next chunk: an incomplete character, or a backslash."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            if error.end != len(data) or error.reason != "unexpected end of data":
                raise _not_utf8(path, data[error.start]) from error
            return data[error.start :]
    return b"\\" if data.endswith(b"\\") else b""


def _not_utf8(path: Path, byte: int) -> DataError:
    """The error for the file's first value that is not UTF-8, found by reading the file byte by byte as characters."""
    with path.open(encoding="latin-1", newline="") as file:
        records = (record for record in csv.reader(file) if record)
        names = next(records, [])
        for number, record in enumerate(records, start=1):
            for place, value in enumerate(record):
                try:
                    value.encode("latin-1").decode()
                except UnicodeDecodeError:
                    column = names[place] if place < len(names) else f"field {place + 1}"
                    where = f", row {number}, {column}"
                    return DataError(f"{path.name}{where}: not UTF-8 (byte {byte:#04x}). Save the file as CSV UTF-8.")
    return DataError(f"{path.name}: not UTF-8 (byte {byte:#04x} in the header). Save the file as CSV UTF-8.")
