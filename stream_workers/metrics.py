"""What Prometheus reads from a worker."""

from prometheus_client import Counter, Gauge, Histogram

IMAGES = Counter("leaf_worker_images_total", "Photographs published: done, or dead letters by kind", ["outcome"])
ANSWERS = Counter("leaf_worker_answers_total", "Images answered, by who answered them", ["model", "version"])
BATCH = Histogram("leaf_worker_batch_images", "Photographs computed together", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
INFERENCE = Histogram(
    "leaf_worker_inference_seconds",
    "One model's share of a batch in its engine",
    ["model", "version", "engine"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
LATENCY = Histogram(
    "leaf_worker_latency_seconds",
    "From the broker's append time to the acknowledged prediction",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300),
)
UNACKNOWLEDGED = Gauge("leaf_worker_unacknowledged_images", "Photographs read and not yet acknowledged")
REFUSED = Gauge(
    "leaf_worker_refused_models", "1 while a version that was asked for can't be served", ["model", "version"]
)
OUTSIDE = Counter(
    "leaf_worker_outside_experiment_images_total",
    "Images answered outside their experiment, since their arm's version can't be served",
    ["experiment", "arm", "model", "version"],
)
SKIPPED = Counter("leaf_worker_skipped_records_total", "Records that follow no contract and were skipped", ["topic"])
