"""A saved model: its zip is vetted, its columns are matched with the stream's, rows are prepared; ``train`` makes one.

``explain`` gives the reasons for a prediction. Importing this package imports no Spark: only ``columns`` and ``train``
work on DataFrames.
"""

from fraudstream.model.archive import FOLDER, pack, sha256
from fraudstream.model.match import ModelMatch
from fraudstream.model.saved import SavedModel

__all__ = ["FOLDER", "ModelMatch", "SavedModel", "pack", "sha256"]
