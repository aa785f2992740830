"""A soak: the live pipeline under random faults, until its time is over; then everything sent is accounted for.

``replay`` decides what is sent (with malformed, late and repeated rows). ``producer``, ``consumer`` are programs that
may be killed, ``parts`` starts and stops each part, ``pipeline`` all of them. ``relay`` is the network to Kafka,
``faults`` breaks things, ``reader`` looks at the results all the while, ``verdict`` compares at the end.
"""
