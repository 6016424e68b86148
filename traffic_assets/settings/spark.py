"""The section `spark`: the Spark session of a deployment."""

import re
from typing import Annotated, Any

from pydantic import Field, field_validator

from traffic_assets.messages import settings as messages
from traffic_assets.settings.formats import DRIVER_MEMORY, HISTORY_URL, MASTER
from traffic_assets.settings.section import Name, Section

_SECRET = re.compile(r"(?i)secret|password|token|access[._-]?key|account\.key\.")
"""Names of Spark settings with secrets: Spark's own `spark.redaction.regex`, and the key of an Azure account."""

EXECUTOR_SETTINGS = ("spark.executor.memory", "spark.executor.cores", "spark.executor.instances")
"""Spark settings that have no effect in a local session."""

_OWN_SETTINGS = {
    "spark.master": "spark.master",
    "spark.app.name": "spark.app_name",
    "spark.driver.memory": "spark.driver_memory",
}
"""Spark settings with a setting of their own, by name."""


class SparkSettings(Section):
    """The Spark session."""

    app_name: Name = Field(default="traffic_assets", description="Name of the Spark application.")
    master: Annotated[str, Field(pattern=MASTER)] | None = Field(
        default="local[*]", description="Spark master. `null` leaves it to spark-submit."
    )
    driver_memory: Annotated[str, Field(pattern=DRIVER_MEMORY)] = Field(
        default="4g", description="Heap of the driver's JVM, such as `4g`. Set before the JVM starts."
    )
    history_url: Annotated[str, Field(pattern=HISTORY_URL)] | None = Field(
        default=None,
        description="Address of an application in Spark's history server, such as "
        "`http://history:18080/history/{application_id}`. The Dagster UI links to it.",
    )
    config: dict[Name, str] = Field(
        default_factory=dict, description="Any other `spark.*` setting. Secrets are refused, because the UI shows them."
    )
    class_data_archive: bool = Field(
        default=True,
        description="Start Java from a class data archive in the cache folder (`XDG_CACHE_HOME` or `~/.cache`). `make` "
        "and the commands `demo`, `train` and `class-data` create it once for a local master.",
    )

    @field_validator("config", mode="before")
    @classmethod
    def _values_as_spark_writes_them(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            k: str(v).lower() if isinstance(v, bool) else v if not isinstance(v, int | float) else str(v)
            for k, v in value.items()
        }

    @field_validator("config")
    @classmethod
    def _only_spark_keys(cls, value: dict[str, str]) -> dict[str, str]:
        wrong = [k for k in value if not k.startswith("spark.")]
        if wrong:
            raise ValueError(messages.NOT_SPARK_SETTINGS(keys=wrong))
        if reserved := [k for k in value if k in _OWN_SETTINGS]:
            own = [_OWN_SETTINGS[k] for k in reserved]
            raise ValueError(messages.RESERVED_SPARK_SETTINGS(keys=reserved, settings=own))
        if secret := [k for k in value if _SECRET.search(k)]:
            raise ValueError(messages.SECRET_IN_SPARK_CONFIG(keys=secret))
        return value
