"""The assets: thin wiring from inputs through plain functions to outputs, one module a group.

Each module has `build(settings)`. The logic is in `features/`, `ml/` and `registry/`.
"""
