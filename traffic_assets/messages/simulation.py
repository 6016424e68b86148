"""Messages about simulated samples."""

from traffic_assets.dagster_hdfs.message import Message

OUT_OF_RANGE = Message(
    code="simulation.out-of-range",
    problem="The value of {name} is out of range ({given})",
    expected="{allowed}",
    fix="correct the value of {name}",
    example={"name": "sensors", "given": 0, "allowed": "1 to 50000"},
)
REAL_FILE = Message(
    code="simulation.real-file",
    problem="{file} is not a simulated file, and real and simulated readings must not be mixed",
    expected="a folder that is empty or contains only simulated files",
    fix="write the sample to another folder (--to)",
    example={"file": "data/raw/mine.csv"},
)
