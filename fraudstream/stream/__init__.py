"""Task 2: messages become rows, rows become predictions, predictions become three reports.

``ingest`` parses and quarantines, ``sink`` binds predictions to their query, ``store`` makes a micro-batch visible.
``reports`` upserts and ``recount`` recomputes; ``queries`` starts and stops; ``monitor`` shows lag and progress.
"""
