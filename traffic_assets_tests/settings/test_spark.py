"""The section spark: values as Spark writes them, and no secrets."""

from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.spark import SparkSettings
from traffic_assets_tests.settings.problems import texts


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
    ("config", "code", "values"),
    [
        (
            {"sql.shuffle.partitions": "4", "x": "1"},
            "settings.not-spark-settings",
            {"keys": ["sql.shuffle.partitions", "x"]},
        ),
        (
            {"spark.master": "yarn", "spark.driver.memory": "1g"},
            "settings.reserved-spark-settings",
            {
                "keys": ["spark.master", "spark.driver.memory"],
                "settings": ["spark.master", "spark.driver_memory"],
            },
        ),
        ({"spark.x": [1]}, "settings.invalid-type", {"given": [1], "type": "a valid string"}),
        ("spark.x=1", "settings.invalid-type", {"given": "spark.x=1", "type": "a valid dictionary"}),
    ],
)
def test_other_spark_settings_are_refused(config: Any, code: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        SparkSettings(config=config)
    (text,) = texts(caught.value)
    assert (text.code, text.values) == (code, values)


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
    with pytest.raises(ValidationError) as caught:
        SparkSettings(config={key: "hunter2"})
    (text,) = texts(caught.value)
    assert (text.code, text.values) == ("settings.secret-in-spark-config", {"keys": [key]})
    assert "HADOOP_CONF_DIR" in text


def test_a_credential_provider_is_not_a_secret() -> None:
    config = {
        "spark.hadoop.hadoop.security.credential.provider.path": "jceks://hdfs@nn/traffic.jceks",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "org.example.Provider",
        "spark.hadoop.fs.azure.account.keyprovider.mine": "org.example.KeyProvider",
    }
    assert SparkSettings(config=config).config == config
