"""Feeds in bulk: folders, archives, videos and cameras straight into the images topic."""
