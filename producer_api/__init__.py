"""The upload API: photographs in, results out. Imports no inference engine."""
