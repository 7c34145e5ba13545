"""Corrections: the true label of a photograph, told by a person."""
