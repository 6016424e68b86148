"""Dagster on HDFS: resources, IO managers and atomic publishing.

This package imports nothing else of the project, so it can become a separate package. `filesystem.py`, `hadoop.py`,
`backends.py`, `publish.py`, `reading.py`, `errors.py`, `uris.py` and `class_data.py` do not import dagster either.
"""
