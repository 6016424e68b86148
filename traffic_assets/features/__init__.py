"""From raw files to feature rows: the catalogue, readers, validation, sensors, feature engineering, the sample.

Plain functions on Spark DataFrames, usable from a notebook; nothing here imports dagster.
"""
