"""Tests of cross-validation, learning curves and the temporal holdout."""
