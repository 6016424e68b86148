"""Messages about the command line."""

from traffic_assets.dagster_hdfs.message import Message

JOB_FAILED = Message(
    code="cli.job-failed",
    problem="The {job} job failed (run {run}). Data that it published is kept",
    fix="correct the problems above, then run it again",
    example={"job": "train", "run": "4f6c1d9e"},
)
STOPPED = Message(
    code="cli.stopped",
    problem="The command was stopped by {signal}. What it published is kept",
    note=True,
    example={"signal": "SIGTERM"},
)
NO_MODELS = Message(
    code="cli.no-models",
    problem="No model is registered below {root}",
    fix="run `{command}` or the train job; if models are registered elsewhere, set persistence.base_uri or "
    "change to that folder",
    example={"root": "file:///data/models", "command": "traffic-assets demo"},
)
NO_PLUGINS = Message(
    code="cli.no-plugins",
    problem="No installed package adds an entry point in {groups}",
    fix="install a package that does; docs/extending.md shows how to write one",
    example={"groups": ["traffic_assets.algorithms"]},
)
UNKNOWN_TARGET = Message(
    code="cli.unknown-target",
    problem="{given!r} is not a target",
    expected="one of {targets}",
    fix="correct --target",
    example={"given": "flw", "targets": ["speed"]},
)
TARGET_NOT_TRAINED = Message(
    code="cli.target-not-trained",
    problem="This deployment does not train {given!r}",
    expected="one of {targets}",
    fix="choose one of these, or add it to training.targets",
    example={"given": "flow", "targets": ["speed"]},
)
NO_REPORTS = Message(
    code="cli.no-reports",
    problem="No report is stored below {root}",
    fix="run the train job for a week",
    example={"root": "file:///data/training/training_report"},
)
NO_REPORT_OF_WEEK = Message(
    code="cli.no-report-of-week",
    problem="Week {week} has no report",
    expected="one of {weeks}",
    fix="choose one of these, or run the train job for the week",
    example={"week": "2026-01-12", "weeks": ["2026-01-05"]},
)
OUT_IS_A_FOLDER = Message(
    code="cli.out-is-a-folder",
    problem="{path} is a folder",
    expected="a file",
    fix="add a file name to --out",
    example={"path": "/home/me"},
)
OUT_HAS_NO_FOLDER = Message(
    code="cli.out-has-no-folder",
    problem="{folder} is not an existing folder",
    fix="create it first, or choose another file with --out",
    example={"folder": "/home/me/reports"},
)
NO_BROWSER = Message(
    code="cli.no-browser",
    problem="No browser could be opened on this machine",
    fix="open the file above in a browser",
)
SAMPLE_NOT_LOCAL = Message(
    code="cli.sample-not-local",
    problem="The readings of this deployment are not in a local folder ({source})",
    expected="a local folder",
    fix="write the sample to a local folder with --to, then copy it to the source",
    example={"source": "hdfs://namenode:9000/traffic-data/raw/readings"},
)
SAMPLE_AMONG_READINGS = Message(
    code="cli.sample-among-readings",
    problem="The sample would be mixed with the readings in data.source ({source})",
    expected="another folder",
    fix="choose another folder with --to",
    example={"source": "file:///data/readings"},
)
NOT_A_DATE = Message(
    code="cli.not-a-date",
    problem="The first day is not a date ({given!r})",
    expected="a date of the form YYYY-MM-DD",
    fix="correct --first-day",
    example={"given": "05.01.2026"},
)
NO_CLASS_DATA = Message(
    code="cli.no-class-data",
    problem="No class data archive is used: Spark starts without it",
    fix="for a faster start, set spark.class_data_archive to true, use a local spark.master, and leave Spark's "
    "configuration folder empty",
)
FILE_PERMISSION = Message(
    code="cli.file-permission",
    problem="This user may not read or write a file ({reason})",
    fix="give this user access, or choose another path",
    example={"reason": "/data/report.html: Permission denied"},
)
DISK_FULL = Message(
    code="cli.disk-full",
    problem="The disk or the user's quota is full ({reason})",
    fix="free space, or choose a path on another disk",
    example={"reason": "/data/report.html: No space left on device"},
)
FILE_ERROR = Message(
    code="cli.file-error",
    problem="A file cannot be used ({reason})",
    fix="correct the path, or choose another one",
    example={"reason": "/data/readings: Not a directory"},
)
FAILED = Message(
    code="cli.failed",
    problem="The command failed ({type}: {reason})",
    fix="correct the value or the file that the reason names",
    example={"type": "DagsterInvariantViolationError", "reason": "$DAGSTER_HOME is not an absolute path"},
)
