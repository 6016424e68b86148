"""Figures of a training as PNG bytes, one file a family.

No state and no window: matplotlib's object interface only.
"""
