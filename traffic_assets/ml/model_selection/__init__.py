"""Cross-validation, learning curves and the temporal holdout: estimates of a model's error from train rows."""
