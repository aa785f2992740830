"""Task 2: messages become rows, rows become predictions, predictions become three reports and alerts.

``ingest`` parses and quarantines by the rules of ``readable``. ``sink`` binds predictions to their query, ``publish``
makes a micro-batch visible, ``store`` reads it. ``reports`` upserts, ``recount`` recomputes. ``alerts`` sends frauds
with their reasons (``explanations``). ``queries`` starts and stops, ``checkpoint`` guards, ``plan`` has the options
that shorten a micro-batch. ``monitor`` combines ``lag`` and each query's ``progress``.
"""
