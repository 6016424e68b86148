"""Estimators that Spark lacks, written in Python with pyspark.ml; `algorithms/` makes them available to lanes."""
