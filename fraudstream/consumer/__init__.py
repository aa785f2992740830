"""Task 3: the transactions topic becomes counts per batch, and a line that moves.

``batches`` polls the topic, ``chart`` draws.
"""
