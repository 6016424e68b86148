"""What a stored pipeline may be made of, held against its files before Spark reads them.

Spark imports whatever class a stage's metadata names, and xgboost runs a pickle that its metadata may carry
(`serialized_callbacks`). So neither is left to them: every stage, and every member inside one, must be of a known
class, carry no such thing, and lie inside the pipeline's folder.
"""

import json
from collections.abc import Iterable

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.ml.algorithm import algorithms

METADATA = "metadata"
TRUSTED = ("org.apache.spark.ml.", "pyspark.ml.", "traffic_assets.ml.")
"""Packages whose classes do nothing but their work when they are loaded."""

PICKLED = "serialized_callbacks"


def unsafe_stages(uri: str, filesystem: FileSystem) -> list[str]:
    """What speaks against loading a stored pipeline or model, a line a reason; none if it may be loaded.

    Needs an active Spark session.

    Args:
        uri: of its folder.
        filesystem: the one that it is on.
    """
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    if not (folders := list(_metadata_folders(uri, filesystem))):
        return [f"{uri} holds no {METADATA}"]
    # read as Spark will read it, whatever the files are called and however they are packed
    lines = SparkSession.active().read.text(folders).select("value", F.input_file_name().alias("file"))
    return [reason for line in lines.collect() for reason in _unsafe_reasons(line["value"], line["file"])]


def _unsafe_reasons(text: str, file: str) -> Iterable[str]:
    try:
        found = json.loads(text)
        name = str(found["class"])
    except (ValueError, KeyError, TypeError):
        yield f"{file} is no metadata of a stage"
        return
    known = {algorithm.model_class for algorithm in algorithms().values()}
    if name not in known and not name.startswith(TRUSTED):
        yield f"{file} names the class {name!r}; allowed are {', '.join((*sorted(known), *(f'{t}*' for t in TRUSTED)))}"
    if PICKLED in found:
        yield f"{file} carries a pickle ({PICKLED}), which would be run: fit the model without callbacks"
    if any("/" in str(uid) for uid in (found.get("paramMap") or {}).get("stageUids", ())):
        yield f"{file} names a stage outside of its folder"


def _metadata_folders(uri: str, filesystem: FileSystem) -> Iterable[str]:
    for entry in filesystem.list(uri):
        if entry.is_dir and entry.name == METADATA:
            yield entry.uri
        elif entry.is_dir:
            yield from _metadata_folders(entry.uri, filesystem)
