"""Prerequisites of a run: Java, the pinned jars, the options of a Spark session, locks between processes.

Nothing here knows about the shop's data.
"""
