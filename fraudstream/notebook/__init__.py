"""Output of notebook cells, and preparation before the first one runs.

``live`` updates outputs in place, ``show`` displays settings and source, ``prepare`` creates missing data and models.
"""
