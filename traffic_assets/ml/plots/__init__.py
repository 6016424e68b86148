"""Figures of a training as PNG bytes, one module per family.

They use matplotlib's object interface only, which keeps no global state and opens no window.
"""
