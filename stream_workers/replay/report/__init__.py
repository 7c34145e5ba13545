"""What a replay changed, against the live results or another run."""
