"""Task 1: the two stream files become batches, one per second, each sent once and in order.

The cursors of ``replay`` read the files, a ticker sets the rhythm, a sender waits for each acknowledgement.
``resume`` finds where to continue, ``guard`` checks the producer, ``retries`` bounds the waiting.
"""
