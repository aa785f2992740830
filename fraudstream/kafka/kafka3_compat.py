"""Import this before kafka3, so that kafka3 can be imported on Python 3.10 to 3.13.

kafka3 3.0.0 contains an old copy of six; Python 3.12 dropped the import hook behind its ``six.moves``. The current six
replaces it under that name; on older Pythons it is the same module for the same purpose.
"""

import sys

import six

sys.modules.setdefault("kafka3.vendor.six.moves", six.moves)
