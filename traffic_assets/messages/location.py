"""Messages about loading the code location, and about its sensor."""

from traffic_assets.dagster_hdfs.message import Message

PACKAGE_MISSING = Message(
    code="location.package-missing",
    problem="The model {model} is enabled, but the package {package} is not installed",
    fix="run `{install}`, or set models.{model}.enabled to false",
    example={"model": "svr", "package": "sklearn", "install": "pip install 'traffic-assets[svr]'"},
)
MEMBER_PACKAGE_MISSING = Message(
    code="location.member-package-missing",
    problem="The model {model} is enabled with the member {member}, but the package {package} is not installed",
    fix="run `{install}`, or remove {member} from models.{model}.hyperparameters.members",
    example={
        "model": "ensemble",
        "member": "svr",
        "package": "sklearn",
        "install": "pip install 'traffic-assets[svr]'",
    },
)
BROKEN_BACKEND = Message(
    code="location.broken-backend",
    problem="{setting} needs a storage backend that cannot be used ({reason})",
    expected="a URI with a usable backend",
    fix="repair or uninstall the backend's package, or change {setting}",
    example={"setting": "persistence.base_uri", "reason": "the storage backend acme: ImportError: no client"},
)
CHECK_WITHOUT_ASSET = Message(
    code="location.check-without-asset",
    problem="Some checks belong to assets that do not exist ({checks})",
    expected="one of these assets: {assets}",
    fix="correct the asset keys of the checks",
    example={"checks": ["typo on random_forrest_evaluation"], "assets": ["random_forest_evaluation"]},
)
ENTRY_WITHOUT_GATE = Message(
    code="location.entry-without-gate",
    problem="{entry} does not depend on an asset with a blocking {gate} check",
    expected="a gate before every registry entry",
    fix="add the check {gate} to the evaluation that {entry} depends on",
    example={"entry": "svr_registry_entry", "gate": "meets_targets"},
)
EXTRA_ASSET_IN_USED_FOLDER = Message(
    code="location.extra-asset-in-used-folder",
    problem="The extra asset {asset} would be stored in {folder}, which contains {other}",
    expected="an asset key with a folder of its own",
    fix="rename the asset, or give it an IO manager of your own",
    example={"asset": "splits", "folder": "training/splits", "other": "train_split"},
)
INCOMPLETE_DAYS = Message(
    code="location.incomplete-days",
    problem="No week has new data and enough complete days. Some days do not count ({days})",
    expected="at least {minimum} of the readings of a day (data.minimum_completeness)",
    fix="add the missing readings and run {commands}, allow fewer days with training.minimum_days, or lower "
    "data.minimum_completeness",
    example={
        "days": {"2026-01-06": "0.3472%", "2026-01-07": "empty"},
        "minimum": "50%",
        "commands": ["traffic-assets features 2026-01-06 2026-01-07"],
    },
)
NOTHING_TO_TRAIN = Message(
    code="location.nothing-to-train",
    problem="No completed week has new data since its last training",
    note=True,
)
TRAINING_LOST = Message(
    code="location.training-lost",
    problem="The week {week} is not started again, because {attempts} trainings of the same features ended without an "
    "outcome ({runs})",
    fix="correct the cause, then run the train job for the week; new features start it again too",
    example={"week": "2026-01-05", "attempts": 3, "runs": ["4f6c1d9e (died)", "5a7d2e0f (stopped)"]},
)
WEEK_TRAINED_ELSEWHERE = Message(
    code="location.week-trained-elsewhere",
    problem="The week {week} is started again when the run {run} on {host} (process {pid}), started {start}, has ended",
    note=True,
    example={
        "week": "2026-01-05",
        "run": "4f6c1d9e",
        "host": "node1",
        "pid": 4711,
        "start": "2026-01-12 03:00:00+00:00",
    },
)
WEEK_GAVE_WAY = Message(
    code="location.week-gave-way",
    problem="The run {run} of the week {week} gave way to another training; the week is started again from {due} on",
    note=True,
    example={"week": "2026-01-05", "run": "4f6c1d9e", "due": "2026-01-12 03:10+00:00"},
)
SEVERAL_REASONS = Message(
    code="location.several-reasons",
    problem="No training is started now, for several reasons:{reasons:lines}",
    note=True,
    example={
        "reasons": [
            "[location.week-gave-way] The run 4f6c1d9e of the week 2026-01-05 gave way to another training; the week "
            "is started again from 2026-01-12 03:10+00:00 on.",
            "[location.incomplete-days] No week has new data and enough complete days.",
        ]
    },
)
