"""What notebook cells show, and what they need before the first one runs.

``live`` updates outputs in place, ``show`` displays settings and source, ``prepare`` creates missing data and models.
"""
