"""Messages about the input: files, their columns, and the rows of a day."""

from traffic_assets.dagster_hdfs.message import Message

_FOLDER = "file:///data/raw"
_DAY_FOLDER = "file:///data/raw/date=2026-01-05"

NO_INPUT = Message(
    code="readings.no-input",
    problem="There is no input at {uri}",
    expected="a file, or a folder with Parquet, CSV or JSON files",
    fix="put files there, set data.source, or run `traffic-assets sample` with the profile of this deployment",
    example={"uri": _FOLDER},
)
EMPTY_FOLDER = Message(
    code="readings.empty-folder",
    problem="The input folder {uri} is empty",
    fix="put Parquet, CSV or JSON files there",
    example={"uri": _FOLDER},
)
NO_FILES = Message(
    code="readings.no-files",
    problem="The folder {uri} contains no files to read",
    expected="at least one file whose name starts with neither a dot nor an underscore",
    fix="put Parquet, CSV or JSON files there",
    example={"uri": _DAY_FOLDER},
)
EMPTY_FILES = Message(
    code="readings.empty-files",
    problem="Some files have 0 bytes ({files})",
    expected="files with content",
    fix="deliver the files again, or delete them if they belong to no readings",
    example={"files": [f"{_DAY_FOLDER}/readings.parquet"]},
)
CUT_OFF_FILES = Message(
    code="readings.cut-off-files",
    problem="Some files end within a row ({files}). Their last row may lack values or contain wrong ones",
    expected="files that were delivered completely",
    fix="deliver the files again, then run the features job for their days",
    example={"files": [f"{_DAY_FOLDER}/readings.csv"]},
)
DIFFERENT_TYPES = Message(
    code="readings.different-types",
    problem="A column of the input has another type in {path} than in other files. Cause: {cause}",
    expected="one type for each column in all files of a day, or of a source without day folders",
    fix="write the files again with the same types, such as double for speed, flow and occupancy",
    example={
        "path": f"{_DAY_FOLDER}/b.parquet",
        "cause": "[FAILED_READ_FILE.PARQUET_COLUMN_DATA_TYPE_MISMATCH] Data type mismatches when reading Parquet "
        "column [speed]. Expected Spark type double, actual Parquet type INT64",
    },
)
UNREADABLE_FILES = Message(
    code="readings.unreadable-files",
    problem="{path} cannot be read as {format} ({cause})",
    expected="files in the format of data.format or of their extension",
    fix="correct the files, or set data.format to their format",
    example={"path": _DAY_FOLDER, "format": "parquet", "cause": "[FAILED_READ_FILE] Encountered error"},
)
NANOSECOND_TIMESTAMPS = Message(
    code="readings.nanosecond-timestamps",
    problem="{path} cannot be read as {format} ({cause})",
    expected="timestamps in microseconds",
    fix="write timestamps in microseconds",
    example={"path": _DAY_FOLDER, "format": "parquet", "cause": "Illegal Parquet type: INT64 (TIMESTAMP(NANOS,true))"},
)
AMBIGUOUS_COLUMN = Message(
    code="readings.ambiguous-column",
    problem="The columns {columns} of {path} both mean {name!r}",
    expected="one column for each meaning",
    fix="drop one, or map it to another name in data.aliases",
    example={"columns": ["avg_speed", "speed_mph"], "path": _DAY_FOLDER, "name": "speed"},
)
UNKNOWN_FORMAT = Message(
    code="readings.unknown-format",
    problem="The format of {file} cannot be detected from its extension",
    expected="one of the extensions {endings}",
    fix="set data.format to parquet, csv or json",
    example={"file": f"{_FOLDER}/readings.txt", "endings": [".parquet", ".csv", ".json"]},
)
MISSING_COLUMNS = Message(
    code="readings.missing-columns",
    problem="{path} lacks required columns ({columns}); it has {present}",
    expected="at least {required}",
    fix="add the columns, or map other columns to these names in data.aliases",
    example={
        "path": _DAY_FOLDER,
        "columns": ["timestamp", "speed"],
        "required": ["sensor_id", "timestamp", "speed"],
        "present": ["sensor_id", "velocity"],
    },
)
WRONG_COLUMN_TYPE = Message(
    code="readings.wrong-column-type",
    problem="The column {column} of {path} has the type {type}",
    expected="{allowed}, or a type that can be converted to it",
    fix="write the column as {allowed}",
    example={"column": "speed", "path": _DAY_FOLDER, "type": "array<double>", "allowed": "double"},
)
TOO_MANY_BAD_ROWS = Message(
    code="readings.too-many-bad-rows",
    problem="Too many rows are bad, {bad} of {rows} ({reasons})",
    expected="at most {allowed:percent}",
    fix="correct the rows of the day, or raise data.max_bad_share",
    example={
        "bad": 40,
        "rows": 576,
        "reasons": ["30 x speed: outside 0..120 mph", "10 x timestamp: unparsable"],
        "allowed": 0.05,
    },
)
UNPARSABLE_TIMESTAMPS = Message(
    code="readings.unparsable-timestamps",
    problem="Too many rows are bad, {bad} of {rows} ({reasons}). The timestamp {value!r} is neither ISO 8601 nor in a "
    "format of data.timestamp_formats ({formats!r})",
    expected="at most {allowed:percent}",
    fix="add the timestamps' format to data.timestamp_formats, correct the rows of the day, or raise "
    "data.max_bad_share",
    example={
        "bad": 576,
        "rows": 576,
        "reasons": ["576 x timestamp: unparsable"],
        "value": "05.01.2026 00:00",
        "formats": ["MM/dd/yyyy HH:mm:ss"],
        "allowed": 0.05,
    },
)
UNREADABLE_TIMESTAMPS = Message(
    code="readings.unreadable-timestamps",
    problem="The day has no rows, but some rows in {uri} have an unreadable timestamp ({rows}, such as {value!r})",
    expected="ISO 8601 timestamps, or one of data.timestamp_formats",
    fix="add the timestamps' format to data.timestamp_formats",
    example={"rows": 576, "uri": _FOLDER, "value": "05.01.2026 00:00"},
)
