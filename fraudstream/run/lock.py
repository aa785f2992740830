"""One holder per output folder: a lock that ends with its process."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from fraudstream.errors import OutputError
from fraudstream.settings import Settings


@contextmanager
def hold_output_folder(settings: Settings) -> Iterator[None]:
    """Holds the output folder for one run or reset; raises OutputError when another has it."""
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.output_dir / "run.lock", timeout=0):
            yield
    except Timeout as error:
        raise OutputError(
            f"Another run uses {settings.output_dir}. Wait until it ends, or set FRAUDSTREAM_OUTPUT_DIR elsewhere."
        ) from error
