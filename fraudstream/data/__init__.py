"""The shop's CSV files: found, checked, read as strings or as typed DataFrames.

``generate`` makes a shop of our own; ``check`` scans a folder before a run.
"""
