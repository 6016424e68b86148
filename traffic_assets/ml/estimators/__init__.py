"""Estimators that Spark lacks, written in Python on pyspark.ml; `algorithms/` makes them available to lanes."""
