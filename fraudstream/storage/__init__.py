"""Where a run's files are: local folders, or folders on any file system that Hadoop supports.

The Java that reaches them is always that of this environment's Spark.
"""
