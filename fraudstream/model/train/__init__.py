"""Part A's model, made from the past files: two pipelines fitted, compared, and the better one saved."""

from fraudstream.model.train.fit import train

__all__ = ["train"]
