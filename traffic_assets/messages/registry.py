"""Messages about the model registry."""

from traffic_assets.dagster_hdfs.message import Message

NO_MODEL = Message(
    code="registry.no-model",
    problem="No model is registered as {lane!r} (registered: {lanes})",
    fix="use a registered name, or register a model with the train job",
    example={"lane": "xgboost", "lanes": ["random_forest", "svr"]},
)
NO_VERSION = Message(
    code="registry.no-version",
    problem="{lane} has no version {version} (registered: {versions})",
    fix="use a registered version, or latest",
    example={"lane": "random_forest", "version": "v1.7.0", "versions": ["v1.0.0", "v1.1.0"]},
)
INVALID_VERSION = Message(
    code="registry.invalid-version",
    problem="{version!r} is not a valid version",
    expected="the form v1.0.0, or latest",
    fix="pass a registered version; `traffic-assets models list` shows them",
    example={"version": "1.0"},
)
INVALID_LANE = Message(
    code="registry.invalid-lane",
    problem="{lane!r} is not a valid lane: it would be stored inside a version, which is immutable",
    expected="path segments that are not versions",
    fix="remove the version from the name",
    example={"lane": "random_forest/v1.0.0/calibrated"},
)
NO_FREE_VERSION = Message(
    code="registry.no-free-version",
    problem="{lane} has no free version number within {tries} attempts",
    fix="check the claims in {claims}",
    example={"lane": "random_forest", "tries": 1000, "claims": "file:///data/traffic/models/random_forest/_claims"},
)
MISPLACED_VERSION = Message(
    code="registry.misplaced-version",
    problem="{uri} contains {lane} {version}",
    expected="the version that the folder names",
    fix="delete the folder if it is a copy; otherwise move it back to its place",
    example={"uri": "file:///data/models/random_forest/v7.0.0", "lane": "random_forest", "version": "v1.0.0"},
)
DAMAGED_VERSION = Message(
    code="registry.damaged-version",
    problem="{lane} {version} at {uri} is damaged: files are missing, added or changed ({files}; see {manifest})",
    fix="use another version ({versions}), or register a new one with the train job",
    example={
        "lane": "random_forest",
        "version": "v1.1.0",
        "uri": "file:///data/traffic/models/random_forest/v1.1.0",
        "files": ["model/data/part-00000"],
        "manifest": "MANIFEST.json",
        "versions": ["v1.0.0"],
    },
)
NO_MANIFEST = Message(
    code="registry.no-manifest",
    problem="{uri} is missing or cannot be read",
    fix="use another version",
    example={"uri": "file:///data/traffic/models/random_forest/v1.1.0/MANIFEST.json"},
)
UNKNOWN_MODEL_CLASS = Message(
    code="registry.unknown-model-class",
    problem="{lane} {version} has the unknown model class {model_class!r}",
    expected="one of {known}",
    fix="install the package that provides the algorithm {algorithm!r}",
    example={
        "lane": "acme",
        "version": "v1.0.0",
        "model_class": "acme_traffic.AcmeModel",
        "known": ["pyspark.ml.regression.RandomForestRegressionModel"],
        "algorithm": "acme",
    },
)
UNSAFE_VERSION = Message(
    code="registry.unsafe-version",
    problem="{lane} {version} is not loaded, because its files could run untrusted code:{reasons:lines}",
    fix="use another version, or register a model without these stages",
    example={
        "lane": "xgboost",
        "version": "v1.0.0",
        "reasons": ["file:///data/traffic/models/xgboost/v1.0.0/model/metadata/part-00000 contains a pickle"],
    },
)

# Reasons of an unsafe version.

NO_STAGE_METADATA = Message(
    code="registry.no-stage-metadata",
    problem="{uri} contains no {folder}",
    expected="a folder that Spark ML saved",
    fix="save the model with Spark ML's own writer",
    example={"uri": "file:///data/traffic/models/xgboost/v1.0.0/model", "folder": "metadata"},
)
INVALID_STAGE_METADATA = Message(
    code="registry.invalid-stage-metadata",
    problem="{file} is not valid metadata of a stage",
    expected="a JSON object with the field class",
    fix="save the model with Spark ML's own writer",
    example={"file": "file:///data/traffic/models/xgboost/v1.0.0/model/metadata/part-00000"},
)
UNKNOWN_STAGE_CLASS = Message(
    code="registry.unknown-stage-class",
    problem="{file} specifies the class {name!r}, which is not allowed",
    expected="one of {known}",
    fix="install the package that provides the class as an algorithm, or fit a model without this stage",
    example={
        "file": "file:///data/traffic/models/xgboost/v1.0.0/model/metadata/part-00000",
        "name": "shutil.rmtree",
        "known": ["org.apache.spark.ml.*", "pyspark.ml.*", "traffic_assets.ml.*"],
    },
)
PICKLED_STAGE = Message(
    code="registry.pickled-stage",
    problem="{file} contains a pickle ({field}), which would run code when it is loaded",
    fix="fit the model without callbacks",
    example={
        "file": "file:///data/traffic/models/xgboost/v1.0.0/model/metadata/part-00000",
        "field": "serialized_callbacks",
    },
)
STAGE_OUTSIDE = Message(
    code="registry.stage-outside",
    problem="{file} refers to a stage outside its folder",
    expected="stages inside the folder of the model",
    fix="save the model with Spark ML's own writer",
    example={"file": "file:///data/traffic/models/xgboost/v1.0.0/pipeline/metadata/part-00000"},
)
