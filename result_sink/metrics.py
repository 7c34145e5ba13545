"""What the sink tells Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge

APPLIED: Final = Counter("leaf_sink_applied", "Records that changed Redis", ["topic"])
DUPLICATES: Final = Counter("leaf_sink_duplicates", "Predictions that were there already", ["topic"])
MALFORMED: Final = Counter("leaf_sink_malformed", "Records that follow no contract and were skipped", ["topic"])
LOST: Final = Counter("leaf_sink_lost", "Records that retention took before the sink read them", ["topic"])
REWINDS: Final = Counter("leaf_sink_rewinds", "Partitions read again because Redis was emptied or set back")
TRUNCATIONS: Final = Counter("leaf_sink_truncations", "Logs found shorter than the stored offset: the broker lost data")
LAG: Final = Gauge("leaf_sink_lag", "Records not applied yet", ["topic", "partition"])
REDIS_UP: Final = Gauge("leaf_sink_redis_up", "1 while Redis answers")
