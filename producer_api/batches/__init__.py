"""Many photographs in one request, and how far they are."""
