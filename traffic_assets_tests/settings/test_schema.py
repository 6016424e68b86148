"""Values out of range, sums that do not add up and URIs that would leak are refused; the rest is ready to use."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from traffic_assets.settings.schema import (
    Band,
    DataSettings,
    DiagnosticsSettings,
    EvaluationSettings,
    FillSettings,
    ModelsSettings,
    PersistenceSettings,
    PreprocessingSettings,
    SearchSettings,
    Settings,
    SparkSettings,
    SplitSettings,
    Targets,
    TrainingSettings,
)


@pytest.mark.parametrize(
    ("section", "key", "good", "bad"),
    [
        (DataSettings, "interval_minutes", [1, 60], [0, 61, 2.5]),
        (DataSettings, "max_bad_share", [0, 1], [-0.01, 1.01]),
        (DataSettings, "free_flow_speed", [0.1, 65, "per_sensor"], [0, -1, "per sensor"]),
        (DataSettings, "center", [(32.8, -117.1), None], [(32.8,), (1, 2, 3), "here"]),
        (DataSettings, "kind", ["readings", "features"], ["raw"]),
        (DataSettings, "format", ["auto", "parquet", "csv", "json"], ["avro"]),
        (DataSettings, "timestamps", ["utc", "local"], ["UTC"]),
        (DataSettings, "speed_unit", ["mph", "km/h"], ["kmh"]),
        (DataSettings, "timestamp_formats", [[], ["dd.MM.yyyy HH:mm"]], [[""], "x"]),
        (DataSettings, "aliases", [{}, {"v": "speed"}], [{"": "speed"}, {"v": ""}]),
        (
            DataSettings,
            "rush_hours",
            [[], [(0, 24)], [(6.5, 9)]],
            [[(7,)], [(-1, 5)], [(20, 25)], [(9, 9)], [(19, 16)]],
        ),
        (TrainingSettings, "window_weeks", [1, 53], [0, 54]),
        (TrainingSettings, "folds", [2, 50], [1, 51]),
        (TrainingSettings, "seed", [0, 2**31 - 1], [-1, 2**31]),
        (TrainingSettings, "temporal_train_share", [0.01, 0.99], [0, 1]),
        (TrainingSettings, "cache_partitions", [None, 1], [0]),
        (TrainingSettings, "exclude_features", [[], ["flow_rate"]], [[""]]),
        (SplitSettings, "carved_validation", [0.01, 0.99], [0, 1]),
        (SplitSettings, "kind", ["random", "temporal", "sensor"], ["hashed"]),
        (PreprocessingSettings, "missing", ["median", "mean", "drop"], ["forward_fill"]),
        (PreprocessingSettings, "outlier_action", ["clip", "drop"], ["winsorize"]),
        (PreprocessingSettings, "selection", ["none", "variance", "univariate", "importance"], ["rfe"]),
        (PreprocessingSettings, "variance_threshold", [0, 0.1], [-0.1]),
        (PreprocessingSettings, "top_k", [1, 500], [0, 1.5]),
        (
            PreprocessingSettings,
            "create",
            [[], ["a*b", "a/b", "b/a", "a^2", "a^3"]],
            [["a"], ["a+b"], ["a*b*c"], ["a^4"], ["a*a"], ["a/a"], ["a/2 "], ["a*b", "b*a"], "a*b"],
        ),
        (FillSettings, "longest_gap_minutes", [1, 360], [0, 361]),
        (EvaluationSettings, "plot_points", [100, 20_000], [99, 20_001]),
        (EvaluationSettings, "max_training_minutes", [0.1], [0]),
        (EvaluationSettings, "top_feature", [None, "speed_lag_1"], [""]),
        (Targets, "rmse_max", [None, 0.1], [0, -1]),
        (Targets, "cv_r2_std_max", [None, 0.1], [0]),
        (Targets, "r2_min", [None, -1, 0.9], ["high"]),
        (
            DiagnosticsSettings,
            "learning_curve",
            [None, [0.1, 1], [0.1, 0.5, 0.9]],
            [[], [1], [1, 0.5], [0.5, 0.5], [0, 1]],
        ),
        (PersistenceSettings, "keep_generations_hours", [None, 24, 24.5], [0, 23.9]),
        (
            PersistenceSettings,
            "browse_url",
            [None, "http://h:9870/webhdfs/v1/t/{path}?op=OPEN"],
            ["file:///{path}", "http://h/"],
        ),
        (SparkSettings, "app_name", ["x"], [""]),
        (SparkSettings, "driver_memory", ["512m", "4G", "1048576k"], ["4", "4gb", "g", ""]),
        (
            SparkSettings,
            "master",
            [None, "local", "local[*]", "local[2]", "spark://h:7077", "yarn", "k8s://https://h:443"],
            ["localhost", "local[]", "spark://", "mesos://h", "yarn-client"],
        ),
    ],
)
def test_ranges(section: Any, key: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        section(**{key: value})
    for value in bad:
        with pytest.raises(ValidationError) as caught:
            section(**{key: value})
        assert {error["loc"][0] if error["loc"] else "rush_hours" for error in caught.value.errors()} == {key}


@pytest.mark.parametrize(
    ("shares", "total"), [((0.8, 0.1, 0.2), "1.1"), ((0.5, 0.0, 0.2), "0.7"), ((0.8, 0.0, 0.20001), "1.00001")]
)
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, float, float], total: str) -> None:
    train, validation, test = shares
    with pytest.raises(ValidationError, match=rf"train \+ validation \+ test is {total}; it must be 1"):
        SplitSettings(train=train, validation=validation, test=test)


def test_shares_add_up_as_decimals_do() -> None:
    SplitSettings(train=0.7, validation=0.1, test=0.2)  # 0.9999999999999999 in binary
    for wrong in ({"train": 0, "test": 1}, {"train": 1, "test": 0}, {"train": 0.8, "validation": -0.1, "test": 0.3}):
        with pytest.raises(ValidationError):
            SplitSettings(**wrong)


def test_days_that_must_hold_readings() -> None:
    assert (TrainingSettings().window_days, TrainingSettings().required_days) == (14, 14)
    assert TrainingSettings(window_weeks=3).required_days == 21
    assert TrainingSettings(window_weeks=3, minimum_days=5).required_days == 5
    assert TrainingSettings(minimum_days=14).required_days == 14
    with pytest.raises(ValidationError, match="minimum_days 15 is more than the 14 days of the window"):
        TrainingSettings(minimum_days=15)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainingSettings(minimum_days=0)


def test_first_and_last_day() -> None:
    day = date(2026, 1, 5)
    assert DataSettings(first_day=day, last_day=day).last_day == day
    with pytest.raises(ValidationError, match="last_day 2026-01-04 lies before first_day 2026-01-05"):
        DataSettings(first_day=day, last_day=date(2026, 1, 4))


def test_a_band_is_in_order() -> None:
    assert Band(low=1, high=1).high == 1
    with pytest.raises(ValidationError, match=r"low 2 is above high 1\.5"):
        Band(low=2, high=1.5)


def test_aliases_add_to_ours_and_may_replace_them() -> None:
    aliases = DataSettings(aliases={"vitesse": "speed", "volume": "flow_rate"}).aliases
    assert aliases["vitesse"] == "speed"
    assert aliases["volume"] == "flow_rate"
    assert aliases["station"] == "sensor_id"


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "UTC", "Asia/Kathmandu"])
def test_time_zones_of_the_database_are_allowed(zone: str) -> None:
    assert DataSettings(time_zone=zone).zone.key == zone


@pytest.mark.parametrize("zone", ["Mars/Base", "", "America", "../../etc/passwd", "UTC+1 ", "\0"])
def test_other_time_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="not a time zone of the IANA database, such as America/Los_Angeles"):
        DataSettings(time_zone=zone)


def test_a_folder_becomes_a_file_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def base(given: str) -> str:
        return PersistenceSettings(base_uri=given).base_uri

    here = f"file://{tmp_path.resolve()}"
    assert PersistenceSettings().base_uri == f"{here}/traffic-data"
    assert base("data") == base("./data/") == base("x/../data") == f"{here}/data"
    assert (
        base(f"{tmp_path}/data") == base(f"file://{tmp_path}/data/") == base(f"file:{tmp_path}/data") == f"{here}/data"
    )
    assert base("~/data") == f"{here}/home/data"
    assert base("with space") == f"{here}/with space"  # as Spark writes it
    with pytest.raises(ValidationError, match="given an empty folder"):
        base("")


@pytest.mark.parametrize(
    "uri",
    ["hdfs://namenode:9000/traffic", "hdfs:///traffic", "s3a://bucket/x", "abfss://container@account.dfs.example/x"],
)
def test_other_uris_stay_as_they_are(uri: str) -> None:
    assert PersistenceSettings(base_uri=uri).base_uri == uri
    assert PersistenceSettings(base_uri=f"{uri}/").base_uri == uri
    assert DataSettings(source=uri, sensors_source=uri).sensors_source == uri


@pytest.mark.parametrize(
    "uri", ["hdfs://me:pw@namenode/x", "hdfs://me@namenode/x", "s3a://KEY:SECRET@bucket", "abfss://c:pw@account/x"]
)
@pytest.mark.parametrize("key", ["base_uri", "source", "sensors_source"])
def test_passwords_in_uris_are_refused(key: str, uri: str) -> None:
    section: Any = PersistenceSettings if key == "base_uri" else DataSettings
    with pytest.raises(ValidationError, match="a user or password in a URI would be written to logs"):
        section(**{key: uri})


def test_the_source_is_below_the_base_unless_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = PersistenceSettings(base_uri="hdfs://nn/data")
    assert Settings(persistence=base).source_uri == "hdfs://nn/data/raw/readings"
    assert Settings(persistence=base, data=DataSettings(source="s3a://b/in")).source_uri == "s3a://b/in"
    local = Settings(persistence=base, data=DataSettings(source="in", sensors_source="sensors.csv"))
    assert local.source_uri == f"file://{tmp_path.resolve()}/in"
    assert local.data.sensors_source == f"file://{tmp_path.resolve()}/sensors.csv"


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


def test_enabled_models_in_the_order_of_the_file() -> None:
    off: Any = {"enabled": False}
    every: Any = {"gradient_boosted_trees": {}, "linear_regression": {}, "random_forest": {}}
    assert list(Settings(models=ModelsSettings(**every)).enabled_models) == [
        "linear_regression",
        "random_forest",
        "gradient_boosted_trees",
    ]
    assert list(Settings(models=ModelsSettings(random_forest=off)).enabled_models) == [
        "linear_regression",
        "gradient_boosted_trees",
    ]
    with pytest.raises(ValidationError, match="every model is disabled; enable at least one"):
        Settings(models=ModelsSettings(linear_regression=off, random_forest=off, gradient_boosted_trees=off))


def test_targets_are_those_of_the_plan() -> None:
    targets = EvaluationSettings().targets
    assert targets.linear_regression.model_dump(exclude_none=True) == {"r2_min": 0.9, "rmse_max": 5.0, "mae_max": 3.0}
    assert targets.random_forest.model_dump() == {
        "r2_min": 0.9996,
        "rmse_max": 0.752,
        "mae_max": 0.289,
        "cv_r2_mean_min": 0.999,
        "cv_r2_std_max": 0.001,
    }
    assert targets.gradient_boosted_trees.model_dump(exclude_none=True) == {"r2_min": 0.9992, "rmse_max": 1.061}


def test_targets_are_named_as_users_name_them_and_once() -> None:
    assert TrainingSettings(targets=["avg_speed", "traffic_volume"]).targets == ["speed", "flow"]
    for wrong, told in (
        (["speed", "avg_speed"], "same target twice"),
        (["occupancy"], "'speed' or 'flow'"),
        ([], "1 item"),
    ):
        with pytest.raises(ValidationError, match=told):
            TrainingSettings(targets=wrong)


def test_limits_of_other_targets_are_on_lanes_that_there_are() -> None:
    given = {"flow": {"random_forest": {"r2_min": 0.5}}}
    settings = Settings(evaluation=EvaluationSettings(other_targets=given))
    assert settings.targets_of("flow", "random_forest").r2_min == 0.5
    assert settings.targets_of("flow", "linear_regression") == Targets()
    assert settings.targets_of("speed", "random_forest").r2_min == 0.9996
    for wrong, told in (
        ({"flow": {"forest": {}}}, "no such model: forest; the models are linear_regression"),
        ({"speed": {"random_forest": {}}}, "belong to evaluation.targets"),
        ({"flow": {"random_forest": {"r2": 1}}}, "r2"),
    ):
        with pytest.raises(ValidationError, match=told):
            Settings(evaluation=EvaluationSettings(other_targets=wrong))


@pytest.mark.parametrize("strategy", ["tpe", "halving"])
def test_screening_needs_points_that_are_known_beforehand(strategy: str) -> None:
    assert SearchSettings(strategy="random", screen=5).screen == 5
    with pytest.raises(ValidationError, match=f"'{strategy}', which chooses as it goes; screen a grid or random draws"):
        SearchSettings.model_validate({"strategy": strategy, "screen": 5})


def test_every_lane_has_targets() -> None:
    assert list(EvaluationSettings().targets.model_dump()) == list(ModelsSettings().named())


def test_an_ensemble_looks_at_the_lanes_of_its_own_file() -> None:
    models = ModelsSettings.model_validate(
        {
            "random_forest": {"enabled": False, "hyperparameters": {"numTrees": 7}},
            "linear_regression": {"penalty": "lasso"},
            "ensemble": {"enabled": True},
        }
    )
    members = models.ensemble.hyperparameters.members
    assert members["random_forest"]["numTrees"] == 7, "of a lane that is off as well"
    assert members["linear_regression"]["elasticNetParam"] == 1.0
    assert not (ModelsSettings().svr.enabled or ModelsSettings().ensemble.enabled)


def test_a_formula_is_written_in_one_way() -> None:
    assert PreprocessingSettings(create=("b * a", "b/ a", "a^ 3")).create == ("a*b", "b/a", "a^3")
    with pytest.raises(ValidationError, match=r"given more than once: a\*b"):
        PreprocessingSettings(create=("a*b", "b*a"))
    with pytest.raises(ValidationError, match=r"give a product a\*b, a ratio a/b, or a power a\^2 or a\^3"):
        PreprocessingSettings(create=("a-b",))


def test_a_ready_made_table_is_not_filled() -> None:
    assert DataSettings(kind="features", fill=FillSettings()).fill.on is False
    with pytest.raises(ValidationError, match="fill acts on readings"):
        DataSettings(kind="features", fill=FillSettings(forward_fill=True))
    assert DataSettings(fill=FillSettings(interpolation=True)).fill.on
