"""Tests of the algorithms: one contract for all, and the specifics of each."""
