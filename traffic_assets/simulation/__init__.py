"""Simulated loop-detector readings: a small freeway network, day by day, from a seed.

Everything made here is simulated and says so. Not here: reading or checking real data, features, Spark and Dagster,
which treat these files as any others.
"""
