"""Dagster on HDFS: resources, IO managers and the atomic publish under them.

Imports nothing else of this project, so that it can be lifted out. `filesystem.py`, `hadoop.py`, `backends.py`,
`publish.py`, `reading.py`, `errors.py`, `uris.py` and `class_data.py` do not import dagster either.
"""
