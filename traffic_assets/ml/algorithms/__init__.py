"""The built-in algorithms, one file each; `settings/models/__init__.py` lists them.

`Algorithm` and the lookup are in `traffic_assets.ml.algorithm`; their old names here work until 1.0.
"""

# ruff: noqa: F401
from typing import TYPE_CHECKING, Any

from traffic_assets.deprecation import moved_names, warn_renamed

if TYPE_CHECKING:
    from traffic_assets.ml.algorithm import ROW, Algorithm, algorithm_named, algorithms

    ALGORITHMS: dict[str, Algorithm]
else:
    _moved = moved_names(
        __name__,
        dict.fromkeys(("ROW", "Algorithm", "algorithm_named", "algorithms"), "traffic_assets.ml.algorithm"),
    )

    def __getattr__(name: str) -> Any:
        if name != "ALGORITHMS":
            return _moved(name)
        from traffic_assets.ml.algorithm import built_in_algorithms

        warn_renamed(f"{__name__}.ALGORITHMS", "traffic_assets.ml.algorithm.built_in_algorithms()")
        return built_in_algorithms()
