"""IO managers for Spark DataFrames, Spark ML models and JSON documents on any Hadoop URI, one file for each kind.

The order of calls is the same for each kind (`base.py`). Publishing is in `publish.py`, and reading without Dagster in
`reading.py`.
"""
