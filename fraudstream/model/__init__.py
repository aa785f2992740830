"""A model's zip: vetted from outside, its columns matched with the stream's, its rows prepared. ``train`` makes one.

No Spark is imported here; ``columns`` and ``train`` are the parts that work on DataFrames.
"""

from fraudstream.model.archive import FOLDER, pack, sha256
from fraudstream.model.match import ModelMatch
from fraudstream.model.saved import SavedModel

__all__ = ["FOLDER", "ModelMatch", "SavedModel", "pack", "sha256"]
