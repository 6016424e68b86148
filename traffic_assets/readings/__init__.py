"""Reading and checking the files of detectors: readers, ingestion of a day, validation.

Not here: what columns mean (`catalogue/`), computing features (`features/`).
"""
