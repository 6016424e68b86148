"""The section `persistence`: storage locations and retention."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from traffic_assets.dagster_hdfs.installed_backends import backends, find_backend
from traffic_assets.dagster_hdfs.uris import LOCAL, get_scheme
from traffic_assets.messages import settings as messages
from traffic_assets.settings.formats import BROWSE_URL
from traffic_assets.settings.section import Section
from traffic_assets.settings.uri import absolute_uri

_FOLDER = re.compile(r"\A[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*\Z")
RAW, PROCESSED, TRAINING = OWN_FOLDERS = ("raw", "processed", "training")
"""Folders below `base_uri` for readings, features and trained models; asset groups store their datasets in them."""


OBJECT_STORES = ("s3", "s3a", "s3n", "gs", "oss", "cosn", "obs", "wasb", "wasbs")
"""Schemes of object stores, whose rename copies one file after the other."""

HIERARCHICAL = ("abfs", "abfss")
"""Schemes whose rename is atomic only with a hierarchical namespace."""

ATOMIC = (LOCAL, "hdfs", "viewfs", "webhdfs", "swebhdfs", "maprfs", "ofs", "o3fs", "jfs")
"""Schemes of file systems whose rename is atomic: the local disk, HDFS, MapR, Ozone and JuiceFS."""


class PersistenceSettings(Section):
    """Storage locations and retention."""

    base_uri: str = Field(
        default="traffic-data",
        description="Root of everything that is stored: a folder or a Hadoop URI such as `hdfs://namenode:9000/data`.",
    )
    registry_folder: str = Field(default="models", description="Folder of the model registry, below `base_uri`.")
    keep_generations_hours: Annotated[float, Field(ge=24, le=876_000)] | None = Field(
        default=None, description="Hours for which a replaced generation is kept. Default: forever."
    )
    browse_url: Annotated[str, Field(pattern=BROWSE_URL)] | None = Field(
        default=None,
        description="URL that serves `base_uri`, with `{path}` for the path below it. Links reports in the UI.",
    )

    @field_validator("base_uri")
    @classmethod
    def _absolute(cls, value: str) -> str:
        uri = absolute_uri(value)
        scheme = get_scheme(uri)
        if scheme in (*ATOMIC, *HIERARCHICAL) or find_backend(uri) is not None:
            return uri
        if scheme in OBJECT_STORES:
            raise ValueError(messages.NO_ATOMIC_RENAME(scheme=scheme, uri=uri))
        allowed = [*ATOMIC, *HIERARCHICAL, *sorted({backend.scheme for backend in backends()})]
        raise ValueError(messages.UNKNOWN_STORAGE(scheme=scheme, uri=uri, schemes=list(dict.fromkeys(allowed))))

    @field_validator("registry_folder")
    @classmethod
    def _below_the_base_and_apart_from_assets(cls, value: str) -> str:
        if not _FOLDER.search(value):
            raise ValueError(messages.INVALID_REGISTRY_FOLDER(folder=value))
        if value.split("/")[0] in OWN_FOLDERS:
            raise ValueError(messages.RESERVED_REGISTRY_FOLDER(folder=value, reserved=OWN_FOLDERS))
        return value
