"""Live fraud prediction for an online shop: Kafka, Spark Structured Streaming and a trained Spark ML pipeline."""
