"""Data that release 0.1.0 stored, and tests that later code works on it; `make.py` says how it was made."""
