"""The section spark: values as Spark writes them, and no secrets."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.spark import SparkSettings


def test_spark_settings_are_written_as_spark_reads_them() -> None:
    config: Any = {"spark.a": 4, "spark.b": True, "spark.c": False, "spark.d": 0.5, "spark.e": "10g"}
    assert SparkSettings(config=config).config == {
        "spark.a": "4",
        "spark.b": "true",
        "spark.c": "false",
        "spark.d": "0.5",
        "spark.e": "10g",
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sql.shuffle.partitions": "4", "x": "1"}, "not Spark settings: sql.shuffle.partitions, x; names begin with"),
        ({"spark.master": "yarn", "spark.driver.memory": "1g"}, "spark.master, spark.driver.memory have settings of"),
        ({"spark.x": [1]}, "valid string"),
        ("spark.x=1", "valid dictionary"),
    ],
)
def test_other_spark_settings_are_refused(config: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SparkSettings(config=config)


@pytest.mark.parametrize(
    "key",
    [
        "spark.hadoop.fs.s3a.secret.key",
        "spark.hadoop.fs.s3a.access.key",
        "spark.hadoop.fs.s3a.bucket.mine.session.token",
        "spark.hadoop.fs.azure.account.key.mine.dfs.core.windows.net",
        "spark.ssl.keyPassword",
        "spark.authenticate.SECRET",
    ],
)
def test_secrets_are_refused_with_the_place_for_them(key: str) -> None:
    with pytest.raises(ValidationError, match=rf"{key}: what is set here is shown in clear.* HADOOP_CONF_DIR"):
        SparkSettings(config={key: "hunter2"})


def test_a_credential_provider_is_no_secret() -> None:
    config = {
        "spark.hadoop.hadoop.security.credential.provider.path": "jceks://hdfs@nn/traffic.jceks",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.example.Provider",
        "spark.hadoop.fs.azure.account.keyprovider.mine": "org.example.KeyProvider",
    }
    assert SparkSettings(config=config).config == config
