"""Evaluation of models: scores, gates, comparison, and diagnostics of their errors."""
