"""What the sink's counters say: shares with intervals, differences between arms, drift, series."""
