"""Splits, preprocessing, algorithms, cross-validation, evaluation and figures.

Plain functions on Spark DataFrames and numpy, usable from a notebook; nothing here imports dagster or stores
anything.
"""
