"""Task 2: messages become rows, rows become predictions, predictions become three reports.

``ingest`` parses and quarantines by the rules of ``readable``. ``sink`` binds predictions to their query, ``store``
makes a micro-batch visible. ``reports`` upserts, ``recount`` recomputes. ``queries`` starts and stops, ``checkpoint``
guards, ``plan`` has the options that shorten a micro-batch. ``monitor`` combines ``lag`` and each query's ``progress``.
"""
