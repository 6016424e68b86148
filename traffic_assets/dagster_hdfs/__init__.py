"""Dagster on HDFS: resources, IO managers and atomic publishing.

Imports nothing else of this project, so that it can become a package of its own. `filesystem.py`, `hadoop.py`,
`backends.py`, `publish.py`, `reading.py`, `errors.py`, `uris.py` and `class_data.py` do not import dagster either.
"""
