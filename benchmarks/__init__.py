"""Benchmarks: each script ends with one line `name: ratio R (goal G)`."""
