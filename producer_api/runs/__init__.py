"""Replays, as the page sees them: which there are and how far they came."""
