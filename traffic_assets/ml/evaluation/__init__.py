"""The evaluation of models: scores, gates, comparison, and the diagnostics of where and how far they are wrong."""
