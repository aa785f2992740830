"""The check of a data folder before a run: each file is read once, and problems are reported with their row."""

from fraudstream.data.check.report import report_files, require_files
from fraudstream.data.check.verdict import TOLERATED_SHARE

__all__ = ["TOLERATED_SHARE", "report_files", "require_files"]
