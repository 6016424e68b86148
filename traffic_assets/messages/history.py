"""Messages about differences between Dagster's history and storage, and about `traffic-assets sync`."""

from traffic_assets.dagster_hdfs.message import Message

UNREPORTED = Message(
    code="history.unreported",
    problem="Dagster does not know published partitions of {asset} in {root} ({count}: {first} to {last})",
    fix="run `{command}`, which reports them without computing them again",
    example={
        "command": "traffic-assets sync",
        "count": 14,
        "asset": "feature_table",
        "root": "file:///data/processed/ml-features",
        "first": "2026-01-05",
        "last": "2026-01-18",
    },
)
NOT_STORED = Message(
    code="history.not-stored",
    problem="Dagster knows partitions of {asset} that {root} lacks ({count}: {first} to {last})",
    fix="set persistence.base_uri to the folder that contains them, or materialize them again",
    example={
        "count": 14,
        "asset": "feature_table",
        "root": "file:///data/processed/ml-features",
        "first": "2026-01-05",
        "last": "2026-01-18",
    },
)
REPLACED = Message(
    code="history.replaced",
    problem="Dagster knows another generation of {asset} {partitions} than {root} contains",
    fix="run `{command}`, which reports the published generations",
    example={
        "asset": "feature_table",
        "partitions": ["2026-01-18"],
        "root": "file:///data/processed/ml-features",
        "command": "traffic-assets sync",
    },
)
MODELS_DIFFER = Message(
    code="history.models-differ",
    problem="Dagster and storage differ in {assets}",
    fix="run `{command} --dry-run`, which shows the partitions that either lacks",
    example={"assets": ["random_forest_model", "random_forest_registry_entry"], "command": "traffic-assets sync"},
)
STORED_ELSEWHERE = Message(
    code="history.stored-elsewhere",
    problem="The newest materialization of {asset} is stored below {other}, and this code location stores below {base}",
    expected="asset keys that no other network in this Dagster instance has",
    fix="if another code location has these keys, set `deployment` in one of them; if the data was moved, run "
    "`{command}`",
    example={
        "command": "traffic-assets sync",
        "asset": "feature_table",
        "other": "file:///data/los_angeles",
        "base": "file:///data/san_diego",
    },
)
NOTHING_KNOWN = Message(
    code="history.nothing-known",
    problem="Dagster knows no partition of {asset}. The sensor does not list {base}, because that would start Java",
    fix="if features are stored there, run `{command}`; otherwise run the features job",
    example={"command": "traffic-assets sync", "asset": "feature_table", "base": "hdfs://namenode:9000/traffic-data"},
)
DIFFERENT = Message(
    code="history.different",
    problem="Dagster and storage differ, so the sensor may not train some weeks:{differences:lines}",
    fix="follow the fix of each line",
    example={"differences": [str(UNREPORTED)]},
)
SYNC_UNDER_WAY = Message(
    code="history.sync-under-way",
    problem="The command `traffic-assets sync` is reporting partitions, and the sensor waits for its end",
    note=True,
)
RUN_UNDER_WAY = Message(
    code="history.run-under-way",
    problem="Some partitions of {assets} are not reported, because a run that materializes them is queued or running",
    fix="run `{command}` again after its end",
    example={"assets": ["feature_table"], "command": "traffic-assets sync"},
)
NO_INSTANCE = Message(
    code="history.no-instance",
    problem="DAGSTER_HOME is not set, so there is no Dagster instance to report to",
    fix="export DAGSTER_HOME=<folder>",
)
NO_LOCATION = Message(
    code="history.no-location",
    problem="The module {module} has no code location ({cause})",
    expected="a Python module with the variable `defs`, which build_defs returned",
    fix="pass the module that `dagster -m` loads, and run the command in the same folder",
    example={"module": "acme.definitions", "cause": "No module named 'acme'"},
)
OTHER_PROFILE = Message(
    code="history.other-profile",
    problem="The module {module} stores below {other} (deployment {other_deployment!r}), and the profile {profile} "
    "below {base} (deployment {deployment!r})",
    expected="the profile that the module loads",
    fix="pass it with --profile, or set TRAFFIC_PROFILE",
    example={
        "module": "acme.definitions",
        "other": "hdfs://namenode:9000/traffic-data",
        "other_deployment": "",
        "profile": "local",
        "base": "file:///data",
        "deployment": "",
    },
)
IN_SYNC = Message(
    code="history.in-sync",
    problem="Dagster knows every published partition ({count}) below {base}",
    note=True,
    example={"count": 218, "base": "file:///data"},
)
UNREADABLE = Message(
    code="history.unreadable",
    problem="A partition cannot be reported, because its record cannot be read ({cause})",
    fix="repair or materialize it again, then run `{command}` again",
    example={
        "cause": "The pointer file:///data/training/splits/_pointers/2026-01-05.json is damaged",
        "command": "traffic-assets sync",
    },
)
