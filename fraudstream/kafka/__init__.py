"""Everything that speaks to Kafka: the client's options and topics, security, reading a topic.

``broker`` is the embedded one, which the project starts where no other Kafka is named.
"""
