"""Task 3: counts per batch of the transactions topic, as a live line chart.

``batches`` polls the topic, ``chart`` draws.
"""
