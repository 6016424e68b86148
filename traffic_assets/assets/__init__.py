"""Assets, one module for each group: they connect inputs, plain functions and outputs.

Each module has `build(settings)`. The logic is in `features/`, `ml/` and `registry/`.
"""
