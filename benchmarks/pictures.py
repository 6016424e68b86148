"""The figures of splits and folds in docs/pictures, drawn from generated rows by the code of `ml/splits`.

Run it with `python -m benchmarks.pictures`.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from pyspark.sql import SparkSession

from traffic_assets.ml.plots.layout import plot_layout
from traffic_assets.ml.splits.assign import with_split
from traffic_assets.ml.splits.folds import FoldKind, make_folds
from traffic_assets.ml.splits.layout import place_folds, place_split
from traffic_assets.settings.training import SplitSettings

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
START, STEPS, SENSORS = datetime(2026, 1, 5, tzinfo=UTC), 84, 10  # a week, every two hours
FOLDS, GAP_MINUTES, SEED = 4, 8 * 60, 42
SPLIT_TITLES = {
    "random": "Split kind random: rows by hash, 70/20/10",
    "temporal": "Split kind temporal: in the order of time, 70/20/10",
    "sensor": "Split kind sensor: whole sensors, 70/20/10",
}
FOLD_TITLES = {
    "random": "Folds of kind random: rows by hash",
    "sensor": "Folds of kind sensor: whole sensors",
    "expanding": "Folds of kind expanding, with a gap of 8 hours",
    "sliding": "Folds of kind sliding, with a gap of 8 hours",
}


def main() -> None:
    """Draw every figure."""
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    table = [(f"s{i:02d}", START + step * timedelta(hours=2)) for i in range(SENSORS) for step in range(STEPS)]
    rows = spark.createDataFrame(table, "sensor_id string, timestamp timestamp").cache()
    for split, title in SPLIT_TITLES.items():
        settings = SplitSettings.model_validate({"kind": split, "train": 0.7, "validation": 0.2, "test": 0.1})
        placed = place_split(with_split(rows, settings, SEED), "", len(table), len(table), SEED)
        (PICTURES / f"splits_{split}.png").write_bytes(plot_layout(placed, title))
    for kind in get_args(FoldKind):
        folds = make_folds(rows, kind, FOLDS, SEED, GAP_MINUTES)
        placed = place_folds(rows, folds, len(table), len(table), SEED)
        (PICTURES / f"folds_{kind}.png").write_bytes(plot_layout(placed, FOLD_TITLES[kind]))
    spark.stop()


if __name__ == "__main__":
    main()
