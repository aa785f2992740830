"""Access to Kafka: client options and topics, security, the cluster's id, reading a topic.

``broker`` is the embedded one, which the project starts when no external Kafka is set.
"""
