"""Simulated readings of loop detectors on a small freeway network, day by day from a seed.

The files' metadata mark them as simulated. Not here: reading and validating files, features, Spark and Dagster.
"""
