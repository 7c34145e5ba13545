"""Experiment definitions: reading them, and changing them one at a time."""
