"""Metrics of predictions: the built-in ones and those of installed packages."""
