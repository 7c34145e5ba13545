"""Dataset, training, calibration, export and evaluation of the leaf classifiers."""
