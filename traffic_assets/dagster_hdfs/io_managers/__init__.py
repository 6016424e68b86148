"""IO managers for Spark DataFrames, Spark ML models and JSON documents on any Hadoop URI, one file a kind.

The order of calls is the same for each kind (`base.py`). Not here: what a publish is (`publish.py`), and reading
without Dagster (`reading.py`).
"""
