"""Catalogue of columns with units and meaning (readings, sensors, features, targets), and the local clock.

Not here: reading files (`readings/`), computing features (`features/`).
"""
