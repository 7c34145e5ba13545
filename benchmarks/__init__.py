"""What `make bench` runs: Leafstream against the usual design, the bare engine and bare parts, in one run."""
