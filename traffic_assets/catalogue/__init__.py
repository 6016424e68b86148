"""The catalogue of columns: readings, sensors, features and targets with units and meaning, and the clock.

Not here: reading files (`readings/`), computing features (`features/`).
"""
