"""Tests of the algorithms: one contract for all, and what is special to each."""
