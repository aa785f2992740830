"""Import this before kafka3, and kafka3 imports on Python 3.10 to 3.13 alike.

kafka3 3.0.0 carries a copy of six from before Python 3.12, which dropped the import hook behind its ``six.moves``.
The six of today stands in under that name; on older Pythons it is the same module for the same purpose.
"""

import sys

import six

sys.modules.setdefault("kafka3.vendor.six.moves", six.moves)
