"""Input files of the users: readers, validation of rows, ingestion of days.

Not here: names, units and ranges of columns (`catalogue/`), computing features (`features/`).
"""
