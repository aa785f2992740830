"""Trains part A's model on the past files: fits two pipelines, compares them, saves the better one."""

from fraudstream.model.train.fit import train

__all__ = ["train"]
