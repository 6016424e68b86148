"""Estimators that Spark lacks, written in Python on pyspark.ml; what they are to the lanes is said in `algorithms/`."""
