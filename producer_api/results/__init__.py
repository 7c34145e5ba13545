"""Telling results: at once, when they come (long poll), or as they come (server-sent events)."""
