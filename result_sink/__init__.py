"""Predictions, replays and feedback from Kafka into Redis, effectively once. Nothing else writes Redis."""
