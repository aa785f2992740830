"""Task 2: messages become rows, rows become predictions, predictions become three reports.

``ingest`` parses, ``sink`` publishes a micro-batch, ``queries`` starts and stops, ``monitor`` measures the lag.
"""
