"""A look at a data folder before a run: each file is scanned once, the report names what does not fit."""

from fraudstream.data.check.report import report_files

__all__ = ["report_files"]
