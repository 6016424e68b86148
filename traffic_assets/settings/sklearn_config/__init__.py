"""Scikit-learn-style configuration: files with scikit-learn's names, ratios and switches, as current settings.

`tables.py` lists every key with its current path and a conversion, `conversions.py` contains the conversions, and
`translation.py` applies them. `listed_models.py` adds what such a file implies. Every key takes effect, is reported
because its effect differs, or is refused with the nearest setting that works.
"""
