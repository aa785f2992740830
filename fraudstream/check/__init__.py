"""A look at a data folder and a model before a run: what is there, and whether it fits together."""

from fraudstream.check.verdict import check

__all__ = ["check"]
