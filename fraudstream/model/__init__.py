"""A model's zip: packed, vetted from outside, and its columns matched with the stream's. No Spark is imported here.

``fraudstream.model.columns`` is the part that works on Spark's frames.
"""

from fraudstream.model.archive import FOLDER, check, fresh_folder, pack, sha256
from fraudstream.model.match import Matched, match
from fraudstream.model.needs import Needs, read_needs

__all__ = ["FOLDER", "Matched", "Needs", "check", "fresh_folder", "match", "pack", "read_needs", "sha256"]
