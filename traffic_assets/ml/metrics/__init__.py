"""Metrics of predictions, and what a metric of an installed package declares."""
