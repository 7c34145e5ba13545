"""`leaf export`: predictions, feedback and both joined, as files for whoever analyses or retrains elsewhere."""
