"""What Prometheus reads of the API."""

from prometheus_client import Counter, Gauge, Histogram

CONFIRM_SECONDS = Histogram(
    "leaf_api_confirm_seconds",
    "Time until the broker confirmed a photograph or feedback",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
PROBLEMS = Counter("leaf_api_problems_total", "Answers that were errors", ["kind"])
SKIPPED = Counter("leaf_api_skipped_records_total", "Records that follow no contract and were skipped", ["topic"])
LAG = Gauge("leaf_api_lag_photographs", "Photographs stored and not yet processed", multiprocess_mode="mostrecent")
BACKLOG_SECONDS = Gauge(
    "leaf_api_backlog_seconds", "How long the oldest of them has been waiting", multiprocess_mode="mostrecent"
)
DRIFT = Gauge(
    "leaf_drift_psi",
    "Population stability index of the last 24 hours against the model card",
    ["feature", "arm", "model"],
    multiprocess_mode="mostrecent",
)
DRIFT_IMAGES = Gauge(
    "leaf_drift_photographs", "Photographs behind it", ["feature", "arm", "model"], multiprocess_mode="mostrecent"
)
