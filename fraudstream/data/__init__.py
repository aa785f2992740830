"""The shop's CSV files: finding, checking and reading them, as strings or as typed DataFrames.

``generate`` makes a shop's data; ``check`` reads a folder before a run and reports what does not fit.
"""
