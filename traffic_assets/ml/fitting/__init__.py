"""Fits: caching of rows, the pipeline of preprocessor and model, early stopping, and the final fit."""
