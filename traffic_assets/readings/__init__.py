"""Input files that users provide: readers, validation of rows, ingestion of days.

Not here: names, units and ranges of columns (`catalogue/`), computing features (`features/`).
"""
