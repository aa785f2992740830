"""The shop's data: CSV files as strings or typed DataFrames, and the JSON rows of a Kafka message.

``rules`` and ``parsing`` define how a value is read, once for files and stream; ``readable`` defines a message's rows.

``generate`` makes a shop's data; ``check`` reads a folder before a run and reports what does not fit.
"""
