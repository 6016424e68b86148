"""Features on Spark: the sensor table, feature engineering, and filling of gaps.

Plain functions on DataFrames that a notebook can call; nothing here imports dagster. Not here: names, units and ranges
of features (`catalogue/`), reading and validating files (`readings/`).
"""
