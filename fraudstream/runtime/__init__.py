"""Prerequisites of a run: Java, the pinned jars, the options of a Spark session.

Nothing here knows about the shop.
"""
