"""Safety checks on a stored pipeline, before Spark reads its files.

Spark imports the class that a stage's metadata names, and xgboost runs a pickle that its metadata may contain
(`serialized_callbacks`). So every stage, and every member inside a stage, must have a known class, contain no pickle
and be stored inside the pipeline's folder.
"""

import json
from collections.abc import Iterable

from traffic_assets.dagster_hdfs.filesystem import FileSystem
from traffic_assets.dagster_hdfs.message import CodedText
from traffic_assets.messages import registry as messages
from traffic_assets.ml.algorithm import algorithms

METADATA = "metadata"
TRUSTED = ("org.apache.spark.ml.", "pyspark.ml.", "traffic_assets.ml.")
"""Packages whose classes are safe to load."""

PICKLED = "serialized_callbacks"


def unsafe_stages(uri: str, filesystem: FileSystem) -> list[CodedText]:
    """Return the reasons against loading a stored pipeline or model; none if it is safe.

    Requires an active Spark session.

    Args:
        uri: URI of its folder.
        filesystem: File system of the URI.
    """
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    if not (folders := list(_metadata_folders(uri, filesystem))):
        return [messages.NO_STAGE_METADATA(uri=uri, folder=METADATA)]
    # Spark reads the files here as it does while loading, with any file name and compression
    lines = SparkSession.active().read.text(folders).select("value", F.input_file_name().alias("file"))
    return [reason for line in lines.collect() for reason in _unsafe_reasons(line["value"], line["file"])]


def _unsafe_reasons(text: str, file: str) -> Iterable[CodedText]:
    try:
        metadata = json.loads(text)
        name = str(metadata["class"])
    except (ValueError, KeyError, TypeError):
        yield messages.INVALID_STAGE_METADATA(file=file)
        return
    known = {algorithm.model_class for algorithm in algorithms().values()}
    if name not in known and not name.startswith(TRUSTED):
        allowed = [*sorted(known), *(f"{package}*" for package in TRUSTED)]
        yield messages.UNKNOWN_STAGE_CLASS(file=file, name=name, known=allowed)
    if PICKLED in metadata:
        yield messages.PICKLED_STAGE(file=file, field=PICKLED)
    if any("/" in str(uid) for uid in (metadata.get("paramMap") or {}).get("stageUids", ())):
        yield messages.STAGE_OUTSIDE(file=file)


def _metadata_folders(uri: str, filesystem: FileSystem) -> Iterable[str]:
    for entry in filesystem.list(uri):
        if entry.is_dir and entry.name == METADATA:
            yield entry.uri
        elif entry.is_dir:
            yield from _metadata_folders(entry.uri, filesystem)
